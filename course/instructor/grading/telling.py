"""What of a test's outcome a student may read: of a hidden check not what it expected.

The graded notebook keeps all of it, for the formgrader. Beside it stands, in an output of a kind of
its own, what a feedback page shows in its place.
"""

from nbformat import from_dict

from course.checks import CheckFailed
from course.instructor.grading.redaction import hidden_lines

TOLD = "application/vnd.cnn-course.told+json"
WHILE_GRADED = "application/vnd.cnn-course.while-graded+json"
UNTOLD = "A check that is not shown does not hold."
WITHHELD = "(its message is not shown: it could hold what a hidden test expects)"


def told(result, source):
    """Return the output that says what a student may read of a test's result.

    Parameters
    ----------
    result : dict
        From the grader kernel: "told", "items" and "error".
    source : str
        The test's whole text.

    Returns
    -------
    dict
        An output that shows nothing. Its content: "printed", without what is not to be told, and
        "items", what checks tell of it; "reason", the parts of what a check says where it fails;
        whether that is "hidden"; and "secret", the class of an error whose message may not be told
        then, or None.
    """
    hidden, error = hidden_lines(source), result["error"]
    content = {"printed": result.get("told", ""), "items": result.get("items", [])}
    content |= {"reason": None, "hidden": False, "secret": None}
    if error:
        # Of a line that cannot be told, the worse is taken.
        lines = set(error["lines"]) or hidden
        content["hidden"] = not lines.isdisjoint(hidden)
        content["reason"] = error["parts"] or {"subject": _sentence(error, content["hidden"])}
        content["secret"] = None if _may_be_told(error) else error["class"]
    return _display({TOLD: content})


def while_graded(error):
    """Return the output that holds an error of grading beside those that a student handed in.

    Parameters
    ----------
    error : dict
        An error output, of a student's cell.
    """
    content = {"ename": error["ename"], "evalue": error["evalue"]}
    text = "\n".join(["While this was graded:", *error["traceback"]])
    return _display({"text/plain": text, WHILE_GRADED: content})


def for_students(outputs, hides, show_expected=False):
    """Return a graded test cell's outputs as its student may read them.

    Parameters
    ----------
    outputs : list of NotebookNode
    hides : bool
        Whether part of the test is hidden.
    show_expected : bool
        Whether students may read all of a hidden check's words.

    Returns
    -------
    list of NotebookNode
        What was printed, errors without lines of code, the points, and what `said` returns; less
        of a test that was graded before this was kept apart.
    """
    known = said(outputs)
    kept, content = [], {"items": known.get("items", []), "reason": None}
    for output in outputs:
        if TOLD in output.get("data", {}):
            continue
        if output.output_type == "stream" and hides and not show_expected:
            output.text = known.get("printed", "")
        elif output.output_type == "error":
            content["reason"] = _reason(output, known, hides, show_expected)
            output.evalue = str(CheckFailed(**content["reason"]))
            not_yet = "Not yet: " if output.ename == "CheckFailed" else ""
            output.traceback = [f"{not_yet}{output.evalue}"]
        kept.append(output)
    return [*kept, from_dict(_display({TOLD: content}))]


def said(outputs):
    """Return what stands in a graded test's outputs for its student: "items" and the "reason"."""
    return next((each.data[TOLD] for each in outputs if TOLD in each.get("data", {})), {})


def own_outputs(outputs):
    """Return the outputs that a student handed in, and the errors that grading has added."""
    raised = [each.data[WHILE_GRADED] for each in outputs if WHILE_GRADED in each.get("data", {})]
    return [each for each in outputs if WHILE_GRADED not in each.get("data", {})], raised


def _reason(output, known, hides, show_expected):
    """Return the parts of a failed test's reason that may be read."""
    if not known.get("reason"):
        # NotGraded is said of a submission as a whole.
        is_open = show_expected or not hides or output.ename == "NotGraded"
        return {"subject": output.evalue if is_open else UNTOLD}
    reason = dict(known["reason"])
    if known["hidden"] and not show_expected:
        if known["secret"]:
            return {"subject": f"{known['secret']} {WITHHELD}"}
        reason.pop("expected", None)
    return reason


def _may_be_told(error):
    """Return whether a hidden test's error says nothing of what the test expects."""
    return bool(
        error["parts"]
        or error.get("from_student")  # `Reasons` has decided on it
        or error["class"] in ("Stopped", "NameError")
        # The words of an assert are the instructor's; a library's would say what it desired.
        or (error["class"] == "AssertionError" and error["in_cell"])
    )


def _sentence(error, is_hidden):
    if error["class"] == "Stopped":
        return error["message"]
    if error["class"] == "AssertionError" and not error["message"]:
        return UNTOLD if is_hidden else f"This does not hold: {error['text']}"
    return ": ".join(filter(None, [error["class"], error["message"]]))


def _display(data):
    data = {"text/plain": "", **data}
    return {"output_type": "display_data", "data": data, "metadata": {}}
