"""The outputs of the solution notebooks in the smoke profile, compared with a reference.

A smoke run with seed 0 computes the same numbers each time. `tests/references` contains them, with
one text file and one image per notebook and backend: the text of each cell's outputs, the recorded
metrics and learning curves with more digits, and small copies of the figures. Durations, and values
that depend on the number of threads or on the processor's instruction set, are replaced by `~`,
which matches everything.
"""

import base64
import io
import itertools
import json
import math
import re
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from course.errors import CourseError
from course.files import write_atomically
from course.instructor.regression.run_records import MEMORY, NotebookRun
from course.instructor.regression.verdicts import REFERENCE, Verdict
from course.recorded_metrics import MIME_TYPE, RATE, SECONDS, TIME_RATIO

FOLDER = Path("tests", "references")
TOLERANCE = 1e-3  # relative
SMALLEST = 1e-5  # the difference of two numbers that count as equal, for errors close to 0
VARIES = "~"
METRICS, CURVES = "recorded metrics", "learning curves"  # parts beside those of the cells
TIMED = (SECONDS, RATE, TIME_RATIO, MEMORY)  # kinds of metrics that depend on the machine
# A number as outputs write it, or VARIES in its place.
NUMBER = re.compile(r"((?<![\w.])[-−+]?\d+(?:,\d{3})*(?:\.\d+)?(?:[eE][-+]?\d+)?%?(?!\w)|~)")
FILLER = re.compile(r"([ -])\1{2,}")  # between the columns of a table, and below its header
# An address, a version, a path, and the times in the lines that `fit` prints.
OF_MACHINE = re.compile(
    r"\b0x[0-9a-f]+\b|\b\d+\.\d+\.\d+\b|(?<![\w.~])/(?:[\w.+-]+/)+[\w.+-]*|\b\d+[mu]?s(?:/step)?\b"
)
RULE = re.compile(r"-{3,}")  # below the header of a table
CELL = re.compile(r"\S+(?: \S+)*")
TIMED_COLUMN = re.compile(r"seconds?|\btimes?\b")
TIMED_TEXT = re.compile(r"\btrained in (?=\d)|\btime: ")
WIDTH = 96  # of the small copies of figures, in pixels
# Mean over the pixels of a copy, of 255. The same code differed by at most 0.05 with other threads,
# instruction sets, and versions of TensorFlow and Keras.
MAX_DIFFERENCE = 1.0
MIN_DEVIATION = 1.0  # of the pixels of a figure that shows anything
FIGURES_KEY = "figures"  # of the text in the image file: name and height of each copy


@dataclass
class Shown:
    """The text and the figures that a run showed.

    Attributes
    ----------
    texts : dict of list of str
        Lines by part: the id of a cell, METRICS, or CURVES.
    figures : dict of ndarray of uint8, shape (h, WIDTH)
        Small gray copies of the figures, by cell id and number; white if the figure varies.
    """

    texts: dict[str, list[str]] = field(default_factory=dict)
    figures: dict[str, np.ndarray] = field(default_factory=dict)


def is_compared(run: NotebookRun) -> bool:
    """Return True if a run has the settings with which references are made."""
    return run.profile == "smoke" and run.seed == 0 and not run.extra_parameters


def judge(root: Path, run: NotebookRun) -> list[Verdict]:
    """Return a verdict for each difference from the reference, and one for all equal parts."""
    reference = load(root, run)
    if reference is None:
        reason = "there is no reference yet: run course run --update-references"
        return [Verdict("reference", "new", reason=reason, about=REFERENCE)]
    found = shown_by(run, Path(run.notebook).read_text(encoding="utf-8"))
    reasons = _differences(reference, found)
    equal = sum(not reason for reason in reasons.values())
    agree = Verdict(f"{equal} outputs and figures", "inside", about=REFERENCE)
    different = [
        Verdict(name, "outside", reason=reason, about=REFERENCE)
        for name, reason in reasons.items()
        if reason
    ]
    return [agree, *different]


def shown_by(run: NotebookRun, executed: str) -> Shown:
    """Return the outputs of an executed notebook, and the metrics and curves of its run."""
    notebook = json.loads(executed)
    shown = Shown()
    for cell in notebook["cells"]:
        if "injected-parameters" in cell["metadata"].get("tags", []):
            continue
        lines: list[str] = []
        number = 0
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                number += 1
                name = f"{cell['id']}, figure {number}" if number > 1 else cell["id"]
                shown.figures[name] = _small_copy("".join(data["image/png"]))
            elif MIME_TYPE not in data:
                lines += _lines(output)
        if lines:
            shown.texts[cell["id"]] = lines
    shown.texts[METRICS] = [
        f"{name} = {_digits(value)}"
        for name, value in run.metrics.items()
        if run.kind_of(name) not in TIMED
    ]
    shown.texts[CURVES] = [
        f"{name}, {metric}: {_digits(values)}"
        for name, history in run.curves.items()
        for metric, values in history.items()
    ]
    return shown


def _lines(output: dict[str, Any]) -> list[str]:
    """Return the lines of text of an output; none for the standard error stream."""
    if output.get("name") == "stderr":
        return []
    text = "".join(output.get("text") or output.get("data", {}).get("text/plain", ""))
    # A progress bar overwrites its line, and the width of a table's columns depends on its values.
    lines = [line.rsplit("\r", 1)[-1].rstrip() for line in text.split("\n")]
    lines = [OF_MACHINE.sub(VARIES, line) for line in _without_times(lines)]
    return [FILLER.sub(r"\1\1", line) for line in lines if line]


def _without_times(lines: list[str]) -> list[str]:
    """Return lines with `~` for durations and rates: after some words, and in columns of tables."""
    found = []
    columns: list[tuple[int, int]] = []  # where words in the header of a table show times
    for number, line in enumerate(lines):
        if RULE.fullmatch(line):
            start = max((at for at in range(number) if not lines[at].strip()), default=-1)
            header = lines[start + 1 : number]
            cells = [each for row in header for each in CELL.finditer(row)]
            columns = [each.span() for each in cells if TIMED_COLUMN.search(each[0])]
        elif not line.strip():
            columns = []
        if match := TIMED_TEXT.search(line):
            line = line[: match.end()] + NUMBER.sub(VARIES, line[match.end() :])
        for first, last in columns:
            # Numbers are right-aligned below their header.
            for each in NUMBER.finditer(line):
                if each.start() < last and each.end() > first:
                    line = line[: each.start()] + VARIES.rjust(len(each[0])) + line[each.end() :]
                    break
        found.append(line)
    return found


def _digits(value: Any) -> str:
    """Return a metric as text with six significant digits."""
    if isinstance(value, list):
        return " ".join(map(_digits, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _small_copy(png: str) -> np.ndarray:
    """Return a small gray copy of a figure."""
    with Image.open(io.BytesIO(base64.b64decode(png))) as opened:
        white = Image.new("RGBA", opened.size, "white")
        white.alpha_composite(opened.convert("RGBA"))
    height = max(1, round(WIDTH * white.height / white.width))
    return np.asarray(white.convert("L").resize((WIDTH, height), Image.Resampling.BOX))


def _text_difference(part: str, expected: list[str], found: list[str]) -> str:
    """Return a sentence about the first line that differs, or ""."""
    different = [
        (number, before, after)
        for number, (before, after) in enumerate(zip_longest(expected, found), 1)
        if before is None or after is None or not lines_match(before, after)
    ]
    if not different:
        return ""
    number, before, after = different[0]
    others = f", and {len(different) - 1} more lines differ" * (len(different) > 1)
    if after is None:
        return f"{part} no longer shows {before!r} (line {number}){others}"
    if before is None:
        return f"{part} shows {after!r} (line {number}), which is not in the reference{others}"
    return f"{part} shows {after!r} (line {number}), but the reference has {before!r}{others}"


def lines_match(expected: str, found: str) -> bool:
    """Return True if two lines have the same words and nearly the same numbers."""
    if expected == VARIES:
        return True
    before, after = NUMBER.split(expected), NUMBER.split(found)
    if len(before) != len(after) or before[::2] != after[::2]:
        return False
    return all(map(_numbers_match, before[1::2], after[1::2]))


def _numbers_match(expected: str, found: str) -> bool:
    """Return True if two numbers are nearly equal; integers must be equal."""
    if expected in (found, VARIES):
        return True
    if re.fullmatch(r"[-−+]?[\d,]+", expected):
        return False
    before, after = _value(expected), _value(found)
    return abs(before - after) <= max(TOLERANCE * abs(before), SMALLEST)


def _value(number: str) -> float:
    """Return the value of a number as it is written in an output; NaN if it varies."""
    written = number.replace(",", "").replace("−", "-").rstrip("%")
    return math.nan if number == VARIES else float(written)


def merge(runs: list[Shown]) -> Shown:
    """Merge the outputs of several runs of the same code.

    Text that differs between the runs is replaced by `~`, and a figure that differs is white.
    """
    first, *others = runs
    texts = {}
    for part, lines in first.texts.items():
        merged = lines
        for other in others:
            pairs = zip_longest(merged, other.texts.get(part, []), fillvalue=VARIES)
            merged = [_merge_lines(before, after) for before, after in pairs]
        texts[part] = merged
    figures = {
        name: copy
        if all(not _figure_difference(name, copy, other.figures.get(name)) for other in others)
        else np.full_like(copy, 255)
        for name, copy in first.figures.items()
    }
    return Shown(texts, figures)


def _merge_lines(expected: str, found: str) -> str:
    """Return the first line, with `~` for numbers that differ, or only `~` if words differ."""
    before, after = NUMBER.split(expected), NUMBER.split(found)
    if len(before) != len(after) or before[::2] != after[::2]:
        return VARIES
    merged = [*before]
    for place in range(1, len(before), 2):
        if not _numbers_match(before[place], after[place]):
            merged[place] = VARIES
    return "".join(merged)


def _figure_difference(name: str, expected: np.ndarray | None, found: np.ndarray | None) -> str:
    """Return a sentence if a figure is empty or differs, or ""."""
    if found is None:
        return f"{name} no longer shows this figure"
    if found.std() < MIN_DEVIATION:
        return f"{name} shows an empty figure"
    if expected is None:
        return f"{name} shows a figure that is not in the reference"
    if expected.min() == 255:  # it differs between runs of the same code
        return ""
    height = min(len(expected), len(found))
    if abs(len(expected) - len(found)) > max(2, 0.05 * height):
        return f"{name} shows a figure of a different shape"
    difference = np.abs(expected[:height].astype(float) - found[:height]).mean()
    if difference > MAX_DIFFERENCE:
        return (
            f"{name} shows a different figure: pixels differ by {difference:.1f} of 255 on average"
        )
    return ""


def changed_parts(before: Shown | None, after: Shown) -> list[str]:
    """Return one line for each part or figure in which two references differ.

    Returns ["new"] if there is no earlier reference.
    """
    return (
        ["new"]
        if before is None
        else [each for each in _differences(before, after).values() if each]
    )


def _differences(expected: Shown, found: Shown) -> dict[str, str]:
    """Return, for each part and figure, a sentence about the difference, or ""."""
    parts = dict.fromkeys([*expected.texts, *found.texts])
    names = dict.fromkeys([*expected.figures, *found.figures])
    texts = {
        f"output of {part}": _text_difference(
            part, expected.texts.get(part, []), found.texts.get(part, [])
        )
        for part in parts
    }
    return texts | {
        f"figure of {name}": _figure_difference(
            name, expected.figures.get(name), found.figures.get(name)
        )
        for name in names
    }


def paths(root: Path, run: NotebookRun) -> tuple[Path, Path]:
    """Return the paths of the text file and the image file of a reference."""
    folder = Path(root, FOLDER)
    stem = f"{run.assignment}.{run.backend}"
    return folder / f"{stem}.txt", folder / f"{stem}.png"


def load(root: Path, run: NotebookRun) -> Shown | None:
    """Return the reference for a run, or None if there is none."""
    text_path, image_path = paths(root, run)
    if not text_path.is_file():
        return None
    shown = Shown()
    try:
        lines: list[str] = []
        for line in text_path.read_text(encoding="utf-8").splitlines():
            if line.startswith("    "):
                lines.append(line[4:])
            elif line and not line.startswith("#"):
                lines = shown.texts[line.removesuffix(":")] = []
        with Image.open(image_path) as image:
            pixels = np.asarray(image.convert("L"))
            top = 0
            for name, height in json.loads(image.info[FIGURES_KEY]):
                shown.figures[name] = pixels[top : top + height]
                top += height
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CourseError(
            f"the reference {text_path.stem} in {text_path.parent} cannot be read ({error}):"
            " restore it from git, or run course run --update-references."
        ) from None
    return shown


def save(
    root: Path, run: NotebookRun, shown: Shown, command: str, is_revision: bool = False
) -> None:
    """Write a reference; its text begins with the versions and commands that made it."""
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    lines = [
        f"# What {run.assignment} shows in the smoke profile, seed 0 ({versions}).",
        f"# {command}",
    ]
    if is_revision:
        before = paths(root, run)[0].read_text(encoding="utf-8").splitlines()
        lines = [*itertools.takewhile(str.strip, before), f"# {command} ({versions})"]
    for part, content in shown.texts.items():
        lines += ["", f"{part}:", *(f"    {line}" for line in content)]
    text_path, image_path = paths(root, run)
    info = PngImagePlugin.PngInfo()
    info.add_text(
        FIGURES_KEY, json.dumps([(name, len(each)) for name, each in shown.figures.items()])
    )
    # A notebook without figures has an image of one row, which no name refers to.
    pixels = np.concatenate([*shown.figures.values(), np.full((1, WIDTH), 255, np.uint8)])
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png", pnginfo=info, optimize=True)
    write_atomically(text_path, "\n".join([*lines, ""]))
    write_atomically(image_path, buffer.getvalue())
