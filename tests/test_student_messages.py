"""The messages in the guide for students are those that the course prints.

The guide's tables under "Messages of the course" show messages as the code contains them, with ...
for every part that varies or is left out. Each message that has no row must tell the student how to
change the call that caused it, so that there is nothing to look up.
"""

import ast
import json
import re

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from course.instructor.course_dir import source_notebook
from course.instructor.release import student_package
from tests.submissions import ROOT

VARIES = "..."
# How a message tells what to change in a call.
CHANGES = ("begin", "check the name", "choose", "compile", "convert", "give", "leave", "pass")
CHANGES += ("return", "train", "try", "use", "write")
# Modules whose warnings the last cell of a notebook prints.
WARNING = tuple(
    f"course/{module}.py"
    for module in ("evidence/reader", "packing/archive", "packing/helper_files", "packing/review")
)


def text_of(node):
    """Return a message in the code, with ... for each part that varies."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(map(text_of, parts))
        case ast.Call(func=ast.Attribute(attr="join"), args=[ast.List(elts=[first, *_])]):
            return f"{text_of(first)}{VARIES}"
    return VARIES


def messages_in(tree, warns):
    """Yield what a module prints, its errors, and its warnings if it `warns`."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="CourseError"), args=[text]):
                yield f"CourseError: {text_of(text)}"
            case ast.Call(func=ast.Name(id="print"), args=[text]):
                yield text_of(text)
            case (
                ast.Tuple(elts=[ast.Constant(value=False), text])
                | ast.Call(args=[ast.Constant(value=False), text])
                | ast.Call(func=ast.Attribute(value=ast.Name(id="problems")), args=[text])
            ) if warns:
                yield f"warning: {text_of(text)}"


def messages_of_modules():
    """Yield the messages of the student package."""
    for path, file in student_package.modules().items():
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for message in messages_in(tree, warns=path.startswith(WARNING)):
            if message.removeprefix("warning: ") != VARIES:
                yield message


def messages_of_the_install_cell():
    """Yield the errors of the install cell, which is the same in all notebooks."""
    notebook = json.loads(source_notebook(ROOT, "02-mnist").read_text(encoding="utf-8"))
    (cell,) = (cell for cell in notebook["cells"] if cell["id"] == "install")
    tree = ast.parse(TransformerManager().transform_cell("".join(cell["source"])))
    nodes = list(ast.walk(tree))
    (error,) = (node.exc.args[0] for node in nodes if isinstance(node, ast.Raise))
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id="step")], value=step):
                yield text_of(error).replace(VARIES, text_of(step), 1)


MESSAGES = [*messages_of_modules(), *messages_of_the_install_cell()]


def rows():
    """Return the messages in the guide."""
    text = (ROOT / "docs" / "students.md").read_text(encoding="utf-8")
    section = re.split(
        r"^##+ .*\n", text.partition("\n### Messages of the course\n")[2], flags=re.M
    )
    first_cells = re.findall(r"^\| (`.+?) \|", section[0], re.MULTILINE)
    return [message for cell in first_cells for message in re.findall(r"`(.+?)`", cell)]


ROWS = rows()


def shows(row, message):
    """Return whether a row of the guide shows a message of the code."""
    return re.fullmatch(re.escape(row).replace(r"\.\.\.", ".*"), message, re.DOTALL)


def needs_row(message):
    """Return whether a student can look a message up: an error, a warning, or a failure."""
    if not message.startswith("CourseError: "):
        is_error = message.startswith(("warning: ", "The course package"))
        return is_error or bool(re.search("cannot|was not", message, re.IGNORECASE))
    # A mistake in a call needs none: the message says what a value must be, or what to change.
    is_about_a_call = message.split(": ", 2)[-1].startswith(CHANGES) or " must be " in message
    return not is_about_a_call


@pytest.mark.parametrize("message", [each for each in MESSAGES if needs_row(each)])
def test_the_guide_explains_the_message(message):
    assert any(shows(row, message) for row in ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_the_code_still_contains_the_message_of_each_row(row):
    assert any(shows(row, message) for message in MESSAGES)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("raise CourseError(f'{a} is damaged ({b!r}): delete it.')", "... is damaged (...)"),
        ("raise CourseError('no room' ': delete a file.')", "no room: delete a file."),
        ("raise CourseError(f'{a}={b!r} is unknown: choose another.')", None),
        ("raise CourseError(f'{a} must be a list.')", None),
        ("raise ValueError('it is empty')", None),
    ],
)
def test_a_new_message_needs_a_row_unless_it_is_about_a_call(code, found):
    needed = [each for each in messages_in(ast.parse(code), warns=False) if needs_row(each)]
    assert bool(needed) == bool(found)
    assert not found or needed[0].startswith(f"CourseError: {found}")


@pytest.mark.parametrize("row", ["CourseError: ... is lost ...", "CourseError: ... is damaged"])
def test_a_row_with_other_words_or_an_earlier_end_does_not_show_a_message(row):
    assert shows("CourseError: ... is damaged ...", "CourseError: ... is damaged (...): delete it.")
    assert not shows(row, "CourseError: ... is damaged (...): delete it.")
