"""Figures for the course: image grids, learning curves, filters, feature maps, and others.

Each function returns a figure that pyplot does not manage. JupyterLab shows such a figure once, as
the value of a cell's last line; a figure that pyplot manages would appear twice there. Write
`plotting.learning_curves(history)` as the last line, or call `display(figure)` anywhere else; in a
script, call `figure.savefig("curves.png")`. If `image_grid` is given an Axes, it draws in it and
returns None. Three functions return objects of other types: `sliding_kernel` and
`channels_and_filters` return an animation, which pages without HTML show as a strip of images, and
`result` returns a stored image.

The colors are those of Okabe and Ito (2008), "Color Universal Design", and the color scales are
viridis, inferno, RdBu, Oranges, and Blues: color-blind readers can distinguish them. No information
is conveyed by color alone.

For speed, many images are tiled into one array and drawn by one call of imshow. The Axes fill the
figure, and labels extend past it: `Figure.savefig` and JupyterLab crop it to the drawn area.
"""

from course.plotting.architecture import (
    compare_costs,
    error_against_cost,
    layer_bars,
    layer_costs,
    six_convolutions,
    volumes,
)
from course.plotting.block_diagram import block_diagram, plain_and_residual
from course.plotting.charts import (
    accuracy_bars,
    class_probabilities,
    confusion_matrix,
    learning_curves,
)
from course.plotting.comparison import (
    compare_curves,
    compare_networks,
    gap_curves,
    seed_curves,
    seed_variation,
)
from course.plotting.convolution import (
    channels_and_filters,
    connections,
    convolution_relu_pooling,
    kernel_responses,
    pooling,
    receptive_field,
    sliding_kernel,
    stride_and_padding,
)
from course.plotting.images import (
    class_rows,
    feature_maps,
    filters,
    heat_maps,
    image_grid,
    patch_blocks,
    shifted_window,
)
from course.plotting.learning import (
    early_stopping,
    filter_responses,
    from_image_to_prediction,
    histograms,
    line_charts,
    value_grids,
)
from course.plotting.primitives import Figure
from course.plotting.result_figure import result
from course.plotting.transfer import frozen_and_trained

__all__ = [
    "Figure",
    "accuracy_bars",
    "block_diagram",
    "channels_and_filters",
    "class_probabilities",
    "class_rows",
    "compare_costs",
    "compare_curves",
    "compare_networks",
    "confusion_matrix",
    "connections",
    "convolution_relu_pooling",
    "early_stopping",
    "error_against_cost",
    "feature_maps",
    "filter_responses",
    "filters",
    "from_image_to_prediction",
    "frozen_and_trained",
    "gap_curves",
    "heat_maps",
    "histograms",
    "image_grid",
    "kernel_responses",
    "layer_bars",
    "layer_costs",
    "learning_curves",
    "line_charts",
    "patch_blocks",
    "plain_and_residual",
    "pooling",
    "receptive_field",
    "result",
    "seed_curves",
    "seed_variation",
    "shifted_window",
    "six_convolutions",
    "sliding_kernel",
    "stride_and_padding",
    "value_grids",
    "volumes",
]
