"""Every figure of the course: picture grids, learning curves, filters, feature maps.

Each function returns a figure that pyplot does not know. JupyterLab shows such a figure once, as
the value of a cell's last line; a figure that pyplot knows *and* that is that value would be shown
twice. So write `plotting.learning_curves(history)` as the last line, or `display(figure)` anywhere
else; in a script, `figure.savefig("curves.png")`. A function that is given an Axes draws there and
returns None. `sliding_kernel` alone returns pictures to play through, with a strip of them for
pages without HTML.

Colours are those of Okabe and Ito (2008), "Color Universal Design", with viridis, RdBu and Oranges
for scales: all can be told apart by colour-blind readers. What a colour says is written out too.

For speed many pictures are tiled into one array and drawn by one imshow. Axes fill their figure
and labels stick out of it: `Figure.savefig` and JupyterLab crop to what was drawn.
"""

from course.plotting.architecture import layer_bars, volumes
from course.plotting.charts import (
    accuracy_bars,
    class_probabilities,
    confusion_matrix,
    learning_curves,
)
from course.plotting.comparison import compare_curves, compare_networks
from course.plotting.convolution import receptive_field, sliding_kernel
from course.plotting.images import class_rows, feature_maps, filters, image_grid, patch_blocks
from course.plotting.primitives import Figure
from course.plotting.training_runs import gap_curves, seed_spread

__all__ = [
    "Figure",
    "accuracy_bars",
    "class_probabilities",
    "class_rows",
    "compare_curves",
    "compare_networks",
    "confusion_matrix",
    "feature_maps",
    "filters",
    "gap_curves",
    "image_grid",
    "layer_bars",
    "learning_curves",
    "patch_blocks",
    "receptive_field",
    "seed_spread",
    "sliding_kernel",
    "volumes",
]
