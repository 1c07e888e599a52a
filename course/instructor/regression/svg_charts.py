"""Small drawings for the report, as SVG: a value in its band, and learning curves."""

from html import escape

# Okabe and Ito's colours, which also colour-blind people tell apart.
COLORS = {"tensorflow": "#0072B2", "jax": "#D55E00", "torch": "#009E73"}
BAND, OUTSIDE = "#d9e6ef", "#a33b00"
WIDTH, HEIGHT = 240, 22
CHART_WIDTH, CHART_HEIGHT, LEFT, BOTTOM = 260, 150, 36, 18


def band_chart(verdicts, runs):
    """Draw the values of a figure in its band, with the mean that the band was measured with.

    Parameters
    ----------
    verdicts : list of Verdict
        One a run; values outside the band are drawn as crosses.
    runs : list of NotebookRun

    Returns
    -------
    str
        An SVG element.
    """
    low, high = next((each.low, each.high) for each in verdicts if each.low is not None)
    values = [each.value for each in verdicts if each.value is not None]
    left, right = min([low, *values]), max([high, *values])
    margin = (right - left or 1) * 0.06
    left, right = left - margin, right + margin

    def x(value):
        return WIDTH * (value - left) / (right - left)

    middle = HEIGHT / 2
    parts = [
        f'<line x1="0" y1="{middle}" x2="{WIDTH}" y2="{middle}" stroke="#ccc"/>',
        f'<rect x="{x(low):.1f}" y="4" width="{max(1, x(high) - x(low)):.1f}"'
        f' height="{HEIGHT - 8}" fill="{BAND}"/>',
    ]
    means = [each.mean for each in verdicts if each.mean is not None]
    for at in map(x, means[:1]):
        line = f'<line x1="{at:.1f}" y1="4" x2="{at:.1f}" y2="{HEIGHT - 4}" stroke="#888">'
        parts.append(f"{line}<title>mean {means[0]:.4g}</title></line>")
    for verdict, run in zip(verdicts, runs, strict=True):
        if verdict.value is None:
            continue
        at = x(verdict.value)
        says = f"<title>seed {run.seed}, {run.backend}: {verdict.value:.4g}</title>"
        if verdict.failed:
            path = f"M{at - 4:.1f},{middle - 4} l8,8 m0,-8 l-8,8"
            parts.append(f'<path d="{path}" stroke="{OUTSIDE}" stroke-width="2.5">{says}</path>')
        else:
            color = COLORS.get(run.backend, "#444")
            parts.append(
                f'<circle cx="{at:.1f}" cy="{middle}" r="3.5" fill="{color}">{says}</circle>'
            )
    words = f"{len(values)} values, band {low:.4g} to {high:.4g}"
    return _svg(WIDTH, HEIGHT, parts, words)


def learning_curve_chart(histories):
    """Draw the learning curves of one training in several runs.

    Accuracy where there is one, else loss; training solid, validation dashed.

    Parameters
    ----------
    histories : list of (NotebookRun, dict)
        A history is a dict of one list a quantity, with a number an epoch.

    Returns
    -------
    str
        An SVG element.
    """
    quantity = "accuracy" if any("accuracy" in history for _, history in histories) else "loss"
    lines = [
        (run, key, values)
        for run, history in histories
        for key in (quantity, f"val_{quantity}")
        if (values := [each for each in history.get(key, []) if each is not None])
    ]
    if not lines:
        return _svg(CHART_WIDTH, CHART_HEIGHT, [], f"no {quantity}")
    top = max(max(values) for _, _, values in lines)
    low = min(min(values) for _, _, values in lines)
    bottom = low - 0.08 * (top - low or 1)
    epochs = max(len(values) for _, _, values in lines)

    def place(epoch, value):
        x = LEFT + (CHART_WIDTH - LEFT - 6) * (epoch - 1) / max(1, epochs - 1)
        y = 6 + (CHART_HEIGHT - BOTTOM - 6) * (top - value) / (top - bottom or 1)
        return f"{x:.1f},{y:.1f}"

    floor = CHART_HEIGHT - BOTTOM
    parts = [
        f'<path d="M{LEFT},6 V{floor} H{CHART_WIDTH - 6}" fill="none" stroke="#888"/>',
        f'<text x="{LEFT - 4}" y="14" text-anchor="end">{top:.2g}</text>',
        f'<text x="{LEFT - 4}" y="{floor}" text-anchor="end">{bottom:.2g}</text>',
        f'<text x="{LEFT}" y="{CHART_HEIGHT - 4}">epoch 1</text>',
        f'<text x="{CHART_WIDTH - 6}" y="{CHART_HEIGHT - 4}" text-anchor="end">{epochs}</text>',
    ]
    for run, key, values in lines:
        points = " ".join(place(number, value) for number, value in enumerate(values, 1))
        color = COLORS.get(run.backend, "#444")
        dash = ' stroke-dasharray="5 3"' if key.startswith("val_") else ""
        says = f"<title>seed {run.seed}, {run.backend}: {key}</title>"
        if len(values) == 1:
            x, y = points.split(",")
            parts.append(f'<circle cx="{x}" cy="{y}" r="3" fill="{color}">{says}</circle>')
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.6"{dash}>'
            f"{says}</polyline>"
        )
    return _svg(CHART_WIDTH, CHART_HEIGHT, parts, f"{quantity} by epoch")


def _svg(width, height, parts, words):
    """Return parts as an SVG element, with words for whoever does not see it."""
    return (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img"'
        f' aria-label="{escape(words)}">{"".join(parts)}</svg>'
    )
