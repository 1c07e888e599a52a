"""Charts of one network's results: learning curves, confusion matrices, and bar charts."""

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.ticker import PercentFormatter

from course.plotting.primitives import (
    BLUE,
    GRAY,
    NO_TICKS,
    PAGE_INCHES,
    TITLE,
    VERMILLION,
    Figure,
    add_image,
    check_shape,
    draw_bars,
    draw_baselines,
    draw_curves,
    longest_line,
    wrap,
)


def learning_curves(history, title="", baselines=None) -> Figure:
    """Draw the training and validation loss and accuracy against the epoch.

    Parameters
    ----------
    history : dict of lists, or a Keras History
        Lists with one value per epoch under the keys loss, val_loss, accuracy, and val_accuracy;
        accuracies are fractions. The curve of a missing key is omitted.
    baselines : dict of float, optional
        Accuracies to compare with, as fractions by name; drawn as dotted lines.

    Raises
    ------
    ValueError
        If none of the four keys has a value.
    """
    history = getattr(history, "history", history)
    known = ["loss", "val_loss", "accuracy", "val_accuracy"]
    if not any(len(history.get(key, [])) for key in known):
        raise ValueError(f"history must contain at least one of {known}; got {sorted(history)}.")
    baselines = {f"{name} {value:.1%}": value for name, value in (baselines or {}).items()}
    figure = Figure(figsize=(PAGE_INCHES, 3))
    right = 1 - 0.08 * longest_line(baselines) / PAGE_INCHES  # space for the names of the baselines
    edges = {"left": 0, "right": right, "bottom": 0, "top": 1, "wspace": 0.3 / right}
    loss, accuracy = figure.subplots(1, 2, gridspec_kw=edges)
    draw_curves(loss, history, "loss", "{:#.3g}")
    loss.set_title("Loss: lower is better", **TITLE)
    loss.set_ylabel("loss (no unit)")
    draw_curves(accuracy, history, "accuracy", "{:.1%}")
    accuracy.set_title("Accuracy: higher is better", **TITLE)
    accuracy.set_ylabel("accuracy (% of images)")
    accuracy.yaxis.set_major_formatter(PercentFormatter(1))
    draw_baselines(accuracy, baselines)
    if title:
        figure.suptitle(title, x=0, y=1.12, ha="left", va="bottom")
    return figure


def confusion_matrix(matrix, class_names, title="", name_worst=True) -> Figure:
    """Show which classes are confused: the darker the orange, the more frequent the mistake.

    Parameters
    ----------
    matrix : array of int, (c, c)
        Number of images by true class (row) and predicted class (column).
    class_names : sequence of c str
    name_worst : bool
        If True, the title names the three most frequent mistakes.

    Raises
    ------
    ValueError
        If `matrix` does not have one row and one column per name, or an entry is negative or
        not an integer.
    """
    matrix, classes = np.asarray(matrix), len(class_names)
    check_shape("matrix", matrix, f"({classes}, {classes})", matrix.shape == (classes, classes))
    if np.any(matrix < 0) or np.any(matrix != np.round(matrix)):
        raise ValueError("matrix must contain image counts: nonnegative integers.")
    mistakes = matrix * (1 - np.eye(classes, dtype=int))
    shade = mistakes / max(mistakes.max(), 1)
    colors = colormaps["Oranges"](shade, bytes=True)[..., :3]
    colors[mistakes == 0] = 255
    # Correct predictions are gray: they are not part of the color scale.
    colors[np.eye(classes, dtype=bool)] = 222

    side = min(max(3, 0.55 * classes), PAGE_INCHES)
    figure = Figure(figsize=(side, side))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.imshow(colors)
    borders = np.arange(classes - 1) + 0.5
    ax.hlines(borders, -0.5, classes - 0.5, colors="0.9", linewidth=0.5)
    ax.vlines(borders, -0.5, classes - 0.5, colors="0.9", linewidth=0.5)
    size = min(9, 62 * side / (classes * 3))
    for (row, column), count in np.ndenumerate(matrix):
        if count:
            color = "white" if shade[row, column] > 0.7 else "black"
            text = ax.text(column, row, f"{count:.0f}", color=color, size=size, ha="center")
            text.set(va="center", in_layout=False)  # inside the cell: not to be measured
    slanted: Any = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks(range(classes), class_names, **(slanted if longest_line(class_names) > 4 else {}))
    ax.set_yticks(range(classes), class_names)
    ax.tick_params(**NO_TICKS)
    ax.set_xlabel("predicted class (number of images; blank: none)")
    ax.set_ylabel("true class")
    worst = np.argsort(-mistakes, axis=None, kind="stable")[:3]
    pairs = [divmod(int(cell), classes) for cell in worst if mistakes.flat[cell]]
    name = class_names
    named = [f"{name[t]} predicted as {name[p]} ({matrix[t, p]:.0f})" for t, p in pairs]
    title = title or "Gray: correct predictions; the darker the orange, the more mistakes"
    note = "Most often: " + ", ".join(named) if named else "No mistakes"
    title = f"{title}\n{note}" if name_worst else title
    ax.set_title(wrap(title, max(30, side * 13)), **TITLE)
    return figure


def accuracy_bars(accuracies, title="", chance=None) -> Figure:
    """Compare a model's accuracy with baselines in a bar chart from 0% to 100%.

    Parameters
    ----------
    accuracies : dict of float
        Accuracies as fractions by name, from top to bottom.
    chance : float, optional
        Chance level as a fraction, drawn as a dotted line.

    Raises
    ------
    ValueError
        If `accuracies` is empty, or an accuracy is not between 0 and 1.
    """
    if not accuracies:
        raise ValueError("accuracies must contain at least one name with its accuracy.")
    for name, value in {"chance": chance or 0, **accuracies}.items():
        if not 0 <= value <= 1:
            raise ValueError(f"accuracies must be fractions from 0 to 1; got {value} for {name}.")
    figure = Figure(figsize=(0.7 * PAGE_INCHES, 0.4 * len(accuracies) + 0.1))
    ax = figure.add_axes((0, 0, 1, 1))
    draw_bars(ax, list(accuracies), list(accuracies.values()), [BLUE] * len(accuracies))
    ax.set_xlabel("accuracy (% of images)")
    if chance is not None:
        ax.axvline(chance, color="black", linestyle=":")
        ax.text(chance, -0.68, f"chance level, {chance:.0%}", size=9, ha="center", va="bottom")
    ax.set_title(
        wrap(title or "Accuracy: longer is better", 75), pad=6 if chance is None else 20, **TITLE
    )
    return figure


def class_probabilities(probabilities, class_names, image=None, true_name=None, title="") -> Figure:
    """Show the probabilities that a network predicts for one image, with one bar per class.

    Parameters
    ----------
    probabilities : array, (c,)
        Softmax output for one image: values from 0 to 1 that add up to 1.
    class_names : sequence of c str
    image : array, (h, w), (h, w, 1), or (h, w, 3), optional
        The image, shown on the left.
    true_name : str, optional
        The true class, which is marked; the bar of a wrong prediction is orange.

    Raises
    ------
    ValueError
        If a shape is wrong, the values are not probabilities, or `true_name` is not a class.
    """
    values, names = np.asarray(probabilities), [str(name) for name in class_names]
    check_shape("probabilities", values, f"({len(names)},)", values.shape == (len(names),))
    total = values.sum(dtype=float)
    if values.min() < 0 or not abs(total - 1) < 0.02:
        raise ValueError(
            "probabilities must be between 0 and 1 and add up to 1, like the output of softmax; "
            f"these range from {values.min():.3g} to {values.max():.3g} and add up to {total:.3g}."
        )
    if true_name is not None and str(true_name) not in names:
        raise ValueError(f"true_name must be one of {', '.join(names)}; got {true_name}.")
    best = names[int(values.argmax())]
    color = BLUE if true_name is None or best == str(true_name) else VERMILLION
    colors = [color if name == best else GRAY for name in names]
    prediction = f"The network predicts {best} ({values.max():.1%})"
    truth = "" if true_name is None else f"; it is {true_name}"
    figure = Figure(figsize=(0.6 * PAGE_INCHES, 0.26 * len(names) + 0.1))
    ax = figure.add_axes((0, 0, 1, 1))
    marked = [f"{name} (true)" if name == str(true_name) else name for name in names]
    draw_bars(ax, marked, values, colors)
    ax.set_xlabel("probability (%)")
    ax.set_title(wrap(title or prediction + truth, 65), **TITLE)
    if image is not None:
        add_image(figure, image, "input", distance=longest_line(marked) * 0.09 + 0.2)
    return figure
