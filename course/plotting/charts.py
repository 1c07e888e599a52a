"""Figures made of numbers: learning curves, confusion matrix, bars."""

import numpy as np
from matplotlib import colormaps
from matplotlib.ticker import PercentFormatter

from course.plotting.primitives import (
    BLUE,
    GREY,
    NO_TICKS,
    PAGE_INCHES,
    TITLE,
    VERMILLION,
    Figure,
    add_picture,
    check_shape,
    draw_bars,
    draw_baselines,
    draw_curves,
    longest,
    wrap,
)


def learning_curves(history, title="", baselines=None) -> Figure:
    """Draw loss and accuracy against the epoch, training beside validation.

    Parameters
    ----------
    history : dict of lists, or a Keras History
        The keys loss, val_loss, accuracy, val_accuracy, one number an epoch; accuracies are
        fractions. A missing key leaves its curve out.
    title : str
    baselines : dict of float, optional
        Accuracies to compare with, name to fraction: dotted lines in the accuracy panel.

    Raises
    ------
    ValueError
        Where none of the four keys has a number.
    """
    history = getattr(history, "history", history)
    known = ["loss", "val_loss", "accuracy", "val_accuracy"]
    if not any(len(history.get(key, [])) for key in known):
        raise ValueError(f"history must hold a list of {known}; got {sorted(history)}.")
    baselines = {f"{name} {value:.1%}": value for name, value in (baselines or {}).items()}
    figure = Figure(figsize=(PAGE_INCHES, 3))
    right = 1 - 0.08 * longest(baselines) / PAGE_INCHES  # room for the names of the lines
    edges = {"left": 0, "right": right, "bottom": 0, "top": 1, "wspace": 0.3 / right}
    loss, accuracy = figure.subplots(1, 2, gridspec_kw=edges)
    draw_curves(loss, history, "loss", "{:#.3g}")
    loss.set_title("Loss: lower is better", **TITLE)
    loss.set_ylabel("loss (no unit)")
    draw_curves(accuracy, history, "accuracy", "{:.1%}")
    accuracy.set_title("Accuracy: higher is better", **TITLE)
    accuracy.set_ylabel("accuracy (% of pictures)")
    accuracy.yaxis.set_major_formatter(PercentFormatter(1))
    draw_baselines(accuracy, baselines)
    if title:
        figure.suptitle(title, x=0, y=1.12, ha="left", va="bottom")
    return figure


def confusion_matrix(matrix, class_names, title="", name_worst=True) -> Figure:
    """Show which classes are taken for which; the darker the orange, the more frequent the mistake.

    Parameters
    ----------
    matrix : array of int, (c, c)
        Counts of pictures: rows are the true classes, columns the predicted ones.
    class_names : sequence of c str
    title : str
    name_worst : bool
        Whether to write the three most frequent mistakes below the title.

    Raises
    ------
    ValueError
        Where `matrix` is not square with a row for each name, or holds other things than counts.
    """
    matrix, classes = np.asarray(matrix), len(class_names)
    check_shape("matrix", matrix, f"({classes}, {classes})", matrix.shape == (classes, classes))
    if np.any(matrix < 0) or np.any(matrix != np.round(matrix)):
        raise ValueError("matrix must hold counts of pictures, whole numbers from 0 on.")
    mistakes = matrix * (1 - np.eye(classes, dtype=int))
    shade = mistakes / max(mistakes.max(), 1)
    colors = colormaps["Oranges"](shade, bytes=True)[..., :3]
    colors[mistakes == 0] = 255
    colors[np.eye(classes, dtype=bool)] = 222  # the many right answers stay out of the colour scale

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
            text.set(va="center", in_layout=False)  # it lies inside: saves measuring it
    slanted = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks(range(classes), class_names, **(slanted if longest(class_names) > 4 else {}))
    ax.set_yticks(range(classes), class_names)
    ax.tick_params(**NO_TICKS)
    ax.set_xlabel("predicted class (number of pictures; blank: none)")
    ax.set_ylabel("true class")
    worst = np.argsort(-mistakes, axis=None, kind="stable")[:3]
    pairs = [divmod(int(cell), classes) for cell in worst if mistakes.flat[cell]]
    named = [f"{class_names[t]} taken for {class_names[p]} ({matrix[t, p]:.0f})" for t, p in pairs]
    title = title or "Grey: right answers; the darker the orange, the more mistakes"
    note = "Most often: " + ", ".join(named) if named else "No mistakes"
    text = f"{title}\n{note}" if name_worst else title
    ax.set_title(wrap(text, max(30, side * 13)), **TITLE)
    return figure


def accuracy_bars(accuracies, title="", chance=None) -> Figure:
    """Compare accuracies, a model's with its baselines', as bars from 0% to 100%.

    Parameters
    ----------
    accuracies : dict of float
        Name to fraction, drawn from top to bottom.
    title : str
    chance : float, optional
        The accuracy of guessing, a fraction: a dotted line.

    Raises
    ------
    ValueError
        Where there is none, or one is not between 0 and 1.
    """
    if not accuracies:
        raise ValueError("accuracies must hold at least one name and its accuracy.")
    for name, value in {"chance": chance or 0, **accuracies}.items():
        if not 0 <= value <= 1:
            raise ValueError(f"accuracies are fractions between 0 and 1; got {value} for {name}.")
    figure = Figure(figsize=(0.7 * PAGE_INCHES, 0.4 * len(accuracies) + 0.1))
    ax = figure.add_axes((0, 0, 1, 1))
    draw_bars(ax, list(accuracies), list(accuracies.values()), [BLUE] * len(accuracies))
    ax.set_xlabel("accuracy (% of pictures)")
    if chance is not None:
        ax.axvline(chance, color="black", linestyle=":")
        ax.text(chance, -0.68, f"chance {chance:.1%}", size=9, ha="center", va="bottom")
    ax.set_title(
        wrap(title or "Accuracy: longer is better", 75), pad=6 if chance is None else 20, **TITLE
    )
    return figure


def class_probabilities(probabilities, class_names, image=None, true_name=None, title="") -> Figure:
    """Show what the network thinks of one picture: a bar for the probability of each class.

    Parameters
    ----------
    probabilities : array, (c,)
        The softmax output for one picture: between 0 and 1, adding up to 1.
    class_names : sequence of c str
    image : array, (h, w), (h, w, 1) or (h, w, 3), optional
        The picture, shown at the left.
    true_name : str, optional
        One of `class_names`; its bar is marked, and orange says that the network is wrong.
    title : str

    Raises
    ------
    ValueError
        Where a shape is wrong, the numbers are no probabilities or `true_name` is no class.
    """
    values, names = np.asarray(probabilities), [str(name) for name in class_names]
    check_shape("probabilities", values, f"({len(names)},)", values.shape == (len(names),))
    total = values.sum(dtype=float)
    if values.min() < 0 or not abs(total - 1) < 0.02:
        raise ValueError(
            "probabilities must lie between 0 and 1 and add up to 1, as softmax gives them; "
            f"these go from {values.min():.3g} to {values.max():.3g} and add up to {total:.3g}."
        )
    if true_name is not None and str(true_name) not in names:
        raise ValueError(f"true_name must be one of {', '.join(names)}; got {true_name}.")
    best = names[int(values.argmax())]
    color = BLUE if true_name is None or best == str(true_name) else VERMILLION
    colors = [color if name == best else GREY for name in names]
    says = f"The network says {best} ({values.max():.1%})"
    truth = "" if true_name is None else f"; it is {true_name}"
    figure = Figure(figsize=(0.6 * PAGE_INCHES, 0.26 * len(names) + 0.1))
    ax = figure.add_axes((0, 0, 1, 1))
    marked = [f"{name} (true)" if name == str(true_name) else name for name in names]
    draw_bars(ax, marked, values, colors)
    ax.set_xlabel("probability (%)")
    ax.set_title(wrap(title or says + truth, 65), **TITLE)
    if image is not None:
        add_picture(figure, image, "input", room=longest(marked) * 0.09 + 0.2)
    return figure
