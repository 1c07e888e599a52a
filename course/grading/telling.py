"""What of a test's outcome a student may read: of a hidden check not what it expected.

The graded notebook keeps all of it, for the formgrader. Beside it stands, in an output of a kind of
its own, what feedback pages show in its place.
"""

import re

from course.grading.reasons import HIDDEN

TOLD = "application/vnd.cnn-course.told+json"
WHILE_GRADED = "application/vnd.cnn-course.while-graded+json"
UNTOLD = "a check that is not shown does not hold"
VALUE = re.compile(r"^(ok: .*): [^:\n]*$", re.M)  # of a check that holds
EXPECTED = re.compile(r",? expected (?:[^.]|\.(?! |$))*")


def told(result, source):
    """Return the output that says what a student may read of a test's result.

    Parameters
    ----------
    result : dict
        From the grader kernel: "printed", "error", and "passed", for each check that holds its line
        in the cell, what it printed, and that without the value.
    source : str
        The test's whole text.

    Returns
    -------
    list of dict
        One output, or none where nothing in the test is hidden.
    """
    hidden = _hidden_lines(source)
    if not hidden:
        return []
    lines = result["printed"].split("\n")
    for number, line, short in result.get("passed", ()):
        if number in hidden and line in lines:
            lines[lines.index(line)] = short
    error = result["error"]
    content = {"printed": "\n".join(lines), "error": None}
    if error:
        # Of a line that cannot be told, the worse is taken.
        is_hidden = error["line"] is None or error["line"] in hidden
        content["error"] = _told_error(error) if is_hidden else error["message"]
    return [_display({TOLD: content})]


def while_graded(output):
    """Return the error that a student's cell raised in grading, as no output of the student's own.

    Parameters
    ----------
    output : dict
        An error output.
    """
    content = {"ename": output["ename"], "evalue": output["evalue"]}
    text = "\n".join(["While this was graded:", *output["traceback"]])
    return _display({"text/plain": text, WHILE_GRADED: content})


def for_students(outputs, hides, show_expected=False):
    """Return a graded test cell's outputs as its student may read them.

    Parameters
    ----------
    outputs : list of NotebookNode
    hides : bool
        Whether part of the test is hidden.
    show_expected : bool
        Whether all of the checks' words may be read.

    Returns
    -------
    list of NotebookNode
        What was printed, and an error without lines of code.
    """
    said = next((each.data[TOLD] for each in outputs if TOLD in each.get("data", {})), None)
    kept = []
    for output in outputs:
        if TOLD in output.get("data", {}):
            continue
        if output.output_type == "error":
            if hides and not show_expected:
                # One that was graded before this was kept apart is cut by its text.
                output.evalue = said["error"] if said else EXPECTED.sub("", output.evalue)
            output.traceback = [f"{output.ename}: {output.evalue}"]
        elif output.output_type == "stream" and hides and not show_expected:
            output.text = said["printed"] if said else VALUE.sub(r"\1", output.text)
        kept.append(output)
    return kept


def own_outputs(outputs):
    """Return the outputs that a student handed in, and the errors that grading has added."""
    raised = [each.data[WHILE_GRADED] for each in outputs if WHILE_GRADED in each.get("data", {})]
    return [each for each in outputs if WHILE_GRADED not in each.get("data", {})], raised


def _told_error(error):
    if error["class"] == "AssertionError" and not error["text"].startswith("assert"):
        # A library's, which says what it desired; those of an assert are the instructor's words.
        return UNTOLD
    return error.get("told", error["message"]) or UNTOLD


def _hidden_lines(source):
    lines = set()
    for region in HIDDEN.finditer(source):
        first = source.count("\n", 0, region.start()) + 1
        lines |= set(range(first, first + region[0].count("\n") + 1))
    return lines


def _display(data):
    data = {"text/plain": "", **data}
    return {"output_type": "display_data", "data": data, "metadata": {}}
