"""SVG charts for the report: a metric's values with its band, its trend, and learning curves."""

from html import escape

from course.instructor.regression.run_records import NotebookRun
from course.instructor.regression.verdicts import Verdict

# The page defines these colors, once for its light and once for its dark theme.
COLORS = {backend: f"var(--{backend})" for backend in ("tensorflow", "jax", "torch")}
OTHER_COLOR, BAND_COLOR, OUTSIDE_COLOR = "var(--text)", "var(--band)", "var(--failed)"
BAND_WIDTH, BAND_HEIGHT = 180, 22
TREND_WIDTH, TREND_HEIGHT = 80, 22
CURVE_WIDTH, CURVE_HEIGHT, LEFT_MARGIN, BOTTOM_MARGIN = 260, 150, 36, 18


def band_chart(verdicts: list[Verdict], runs: list[NotebookRun]) -> str:
    """Return a chart of a metric's values, one per run, with the band and its mean.

    A value outside the band is drawn as a cross, any other as a dot.
    """
    low, high = next(
        (each.low, each.high) for each in verdicts if each.low is not None and each.high is not None
    )
    values = [each.value for each in verdicts if each.value is not None]
    left, right = min([low, *values]), max([high, *values])
    margin = (right - left or 1) * 0.06
    left, right = left - margin, right + margin

    def x(value: float) -> float:
        return BAND_WIDTH * (value - left) / (right - left)

    middle = BAND_HEIGHT / 2
    parts = [
        f'<line x1="0" y1="{middle}" x2="{BAND_WIDTH}" y2="{middle}" stroke="var(--line)"/>',
        f'<rect x="{x(low):.1f}" y="4" width="{max(1, x(high) - x(low)):.1f}"'
        f' height="{BAND_HEIGHT - 8}" fill="{BAND_COLOR}"/>',
    ]
    mean = next((each.mean for each in verdicts if each.mean is not None), None)
    if mean is not None:
        at = f"{x(mean):.1f}"
        line = f'<line x1="{at}" y1="4" x2="{at}" y2="{BAND_HEIGHT - 4}" stroke="var(--quiet)">'
        parts.append(f"{line}<title>mean {mean:.4g}</title></line>")
    for verdict, run in zip(verdicts, runs, strict=True):
        if verdict.value is None:
            continue
        center = x(verdict.value)
        title = f"<title>seed {run.seed}, {run.backend}: {verdict.value:.4g}</title>"
        if verdict.failed:
            path = f"M{center - 4:.1f},{middle - 4} l8,8 m0,-8 l-8,8"
            stroke = f'stroke="{OUTSIDE_COLOR}" stroke-width="2.5"'
            parts.append(f'<path d="{path}" {stroke}>{title}</path>')
        else:
            color = COLORS.get(run.backend, OTHER_COLOR)
            parts.append(
                f'<circle cx="{center:.1f}" cy="{middle}" r="3.5" fill="{color}">{title}</circle>'
            )
    description = f"{len(values)} values, band {low:.4g} to {high:.4g}"
    return _svg(BAND_WIDTH, BAND_HEIGHT, parts, description)


def learning_curve_chart(histories: list[tuple[NotebookRun, dict[str, list]]]) -> str:
    """Return a chart of one training run's accuracy, or else its loss, in several notebook runs.

    Training curves are solid, and validation curves are dashed.
    """
    quantity = "accuracy" if any("accuracy" in history for _, history in histories) else "loss"
    lines = [
        (run, key, values)
        for run, history in histories
        for key in (quantity, f"val_{quantity}")
        if (values := [each for each in history.get(key, []) if each is not None])
    ]
    if not lines:
        return _svg(CURVE_WIDTH, CURVE_HEIGHT, [], f"no {quantity}")
    top = max(max(values) for _, _, values in lines)
    lowest = min(min(values) for _, _, values in lines)
    bottom = lowest - 0.08 * (top - lowest or 1)
    epochs = max(len(values) for _, _, values in lines)

    def point(epoch: int, value: float) -> str:
        x = LEFT_MARGIN + (CURVE_WIDTH - LEFT_MARGIN - 6) * (epoch - 1) / max(1, epochs - 1)
        y = 6 + (CURVE_HEIGHT - BOTTOM_MARGIN - 6) * (top - value) / (top - bottom or 1)
        return f"{x:.1f},{y:.1f}"

    axis, right, labels = CURVE_HEIGHT - BOTTOM_MARGIN, CURVE_WIDTH - 6, CURVE_HEIGHT - 4
    parts = [
        f'<path d="M{LEFT_MARGIN},6 V{axis} H{right}" fill="none" stroke="var(--quiet)"/>',
        f'<text x="{LEFT_MARGIN - 4}" y="14" text-anchor="end">{top:.2g}</text>',
        f'<text x="{LEFT_MARGIN - 4}" y="{axis}" text-anchor="end">{bottom:.2g}</text>',
        f'<text x="{LEFT_MARGIN}" y="{labels}">epoch 1</text>',
        f'<text x="{right}" y="{labels}" text-anchor="end">{epochs}</text>',
    ]
    for run, key, values in lines:
        points = " ".join(point(epoch, value) for epoch, value in enumerate(values, 1))
        color = COLORS.get(run.backend, OTHER_COLOR)
        dash = ' stroke-dasharray="5 3"' if key.startswith("val_") else ""
        title = f"<title>seed {run.seed}, {run.backend}: {key}</title>"
        if len(values) == 1:
            x, y = points.split(",")
            parts.append(f'<circle cx="{x}" cy="{y}" r="3" fill="{color}">{title}</circle>')
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.6"{dash}>'
            f"{title}</polyline>"
        )
    return _svg(CURVE_WIDTH, CURVE_HEIGHT, parts, f"{quantity} by epoch")


def trend_chart(values: list[float]) -> str:
    """Return a small chart of a metric's last values, oldest first; the last one has a dot."""
    low, high = min(values), max(values)
    points = [
        (
            4 + (TREND_WIDTH - 8) * number / max(1, len(values) - 1),
            TREND_HEIGHT / 2
            if high == low
            else 4 + (TREND_HEIGHT - 8) * (high - value) / (high - low),
        )
        for number, value in enumerate(values)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    parts = [
        f'<polyline points="{line}" fill="none" stroke="var(--quiet)" stroke-width="1.5"/>',
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="var(--text)"/>',
    ]
    description = f"the last {len(values)} values, from {low:.4g} to {high:.4g}"
    return _svg(TREND_WIDTH, TREND_HEIGHT, parts, description)


def _svg(width: int, height: int, parts: list[str], description: str) -> str:
    """Return an SVG element with a description for screen readers."""
    return (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img"'
        f' aria-label="{escape(description)}">{"".join(parts)}</svg>'
    )
