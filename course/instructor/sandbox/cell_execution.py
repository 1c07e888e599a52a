"""Running cells in IPython and returning their errors and output as JSON data."""

import builtins
import contextlib
import io
import linecache
import re
import signal
import sys
import traceback
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from course.instructor.sandbox.cell_error import CellError

_CONTROL_CHARACTERS: dict[int, str | None] = dict.fromkeys(
    [*range(9), 11, 12, *range(14, 32), *range(127, 160)]
)
_CONTROL_CHARACTERS |= dict.fromkeys((1564, 8206, 8207, *range(8234, 8239), *range(8294, 8298)))
# Halves of surrogate pairs, which cannot be encoded.
_CONTROL_CHARACTERS |= dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
_ESCAPE_SEQUENCES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?)")
_shell: Any = None


def create_shell() -> None:
    """Create the IPython shell; called once, before any kernel is forked."""
    global _shell
    from IPython.core.displayhook import DisplayHook
    from IPython.core.history import HistoryManager
    from IPython.core.interactiveshell import InteractiveShell

    class _StoreResult(DisplayHook):
        def __call__(self, result: object = None) -> None:
            if self.exec_result is not None:
                self.exec_result.result = result

    HistoryManager.enabled = False  # type: ignore[assignment]  # a trait takes its value
    _shell = InteractiveShell.instance()
    _shell.showtraceback = lambda *args, **kwargs: None  # errors are results here, not text
    _shell.showsyntaxerror = lambda *args, **kwargs: None
    # Nobody sees figures during grading, so none are drawn.
    _shell.display_pub.publish = lambda *args, **kwargs: None
    _shell.displayhook = _shell.display_trap.hook = _StoreResult(shell=_shell)
    _shell.system = _shell.system_raw  # system_piped needs a terminal
    _shell.enable_gui = lambda gui=None: None  # called by %matplotlib inline
    # IPython's own tee would store everything that is printed, without a limit.
    _shell._tee = lambda channel: contextlib.nullcontext()


def initialize_kernel() -> dict[str, Any]:
    """Seed the random generators, handle interrupts, and return the kernel's namespace."""
    import random

    import numpy

    # All kernels are forked from the same state.
    random.seed()
    numpy.random.seed()
    signal.signal(signal.SIGINT, _on_interrupt)
    return _shell.user_ns


_interruptible = _interrupt_pending = False


def _on_interrupt(number: int, frame: FrameType | None) -> None:
    global _interrupt_pending
    # An interrupt that arrives after the cell has ended must not end the kernel.
    if _interruptible:
        raise KeyboardInterrupt
    _interrupt_pending = True


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let an interrupt stop the code in this block."""
    global _interruptible
    _interruptible = True
    try:
        yield
    finally:
        _interruptible = False


@contextlib.contextmanager
def uninterruptible() -> Iterator[None]:
    """Defer an interrupt of the running cell to the end of this block."""
    global _interruptible, _interrupt_pending
    was_interruptible, _interruptible, _interrupt_pending = _interruptible, False, False
    try:
        yield
    finally:
        _interruptible = was_interruptible
    if was_interruptible and _interrupt_pending:
        raise KeyboardInterrupt


def run_cell(source: str, name: str, output: "OutputBuffer") -> dict[str, Any]:
    """Run a cell, including its magics, and return its "error" and the "value" of its last line.

    "error" is None or a `CellError` as a JSON object whose line numbers refer to the cell `name`.
    "value" is None or the text of a float: "nan" if the value is not a number. `output` receives
    the text that the cell prints.
    """
    source = str(source)
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            with interruptible():
                code_name = _shell.compile.get_code_name
                _shell.compile.get_code_name = lambda *arguments: f"<{name}>"
                try:
                    result = _shell.run_cell(source, store_history=False)
                finally:
                    _shell.compile.get_code_name = code_name
        except (KeyboardInterrupt, SystemExit) as stopped:
            return {"error": asdict(describe_error(stopped, name)), "value": None}
    error = result.error_before_exec or result.error_in_exec
    return {
        "error": None if error is None else asdict(describe_error(error, name)),
        "value": _number_as_text(result.result) if error is None else None,
    }


def _number_as_text(value: object) -> str | None:
    """Return a number of any type as text, "nan" for any other value, or None for None."""
    import numpy as np

    if value is None:
        return None
    number = float("nan")
    # An array with one entry is no number: the student may have chosen the type of the entry.
    if isinstance(value, int | float | np.generic | np.ndarray) and np.ndim(value) == 0:
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            number = float(value)
    return str(number)


def describe_error(error: BaseException, cell_name: str) -> CellError:
    """Return a description of an exception that the cell named `cell_name` raised."""
    kind = type(error)
    lines: list[int | None] = []
    text, in_cell = "", False
    if isinstance(error, SyntaxError):
        lines, text = [error.lineno], (error.text or "").strip()
    else:
        for frame in traceback.extract_tb(error.__traceback__):
            in_cell = frame.filename == f"<{cell_name}>"
            if in_cell:
                lines.append(frame.lineno)
                text = (linecache.getline(frame.filename, frame.lineno or 0) or "").strip()
    parts = None
    try:
        message = str(error.msg if isinstance(error, SyntaxError) else error)
        if kind.__module__ == "course.checks":
            check_parts = getattr(error, "parts", {})
            parts = {name: _shorten(part, 4000) for name, part in check_parts.items()}
    except Exception:  # the methods of a class defined in the notebook may fail
        message = ""
    # A student knows the exceptions of the course by their names, not by their modules.
    is_known = kind.__module__.partition(".")[0] in ("builtins", "course")
    qualified = f"{kind.__module__}.{kind.__name__}".removeprefix("__main__.")
    return CellError(
        class_name=kind.__name__ if is_known else qualified,
        message=_shorten(message, 4000),
        lines=_last_of_each(lines),
        source_line=_shorten(text, 200),
        in_cell=in_cell,
        parts=parts,
        from_student=bool(getattr(error, "from_student", False)),
    )


def write_files(
    paths: Iterable[str], contents: Iterable[bytes | bytearray], read_only: Collection[str] = ()
) -> None:
    """Write files into the kernel's working folder, except those that do not fit on its disk."""
    for path, content in zip(paths, contents, strict=True):
        with contextlib.suppress(OSError):
            target = Path(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            if path in read_only:
                target.chmod(0o444)


def is_builtin_exception(name: str) -> bool:
    """Return True if a name is the name of a built-in subclass of Exception."""
    kind = getattr(builtins, name, None)
    return isinstance(kind, type) and issubclass(kind, Exception)


def printable(text: object) -> str:
    """Return text without the control characters and escape sequences that control a terminal."""
    return _ESCAPE_SEQUENCES.sub("", str(text)).translate(_CONTROL_CHARACTERS)


def _shorten(text: object, length: int) -> str:
    """Return at most `length` printable characters of a string of any length."""
    return printable(str(text)[: 4 * length])[:length]


def _last_of_each(lines: Iterable[int | None]) -> tuple[int, ...]:
    """Return the line numbers without repetitions, which a deep recursion would cause."""
    unique = dict.fromkeys(line for line in reversed(list(lines)) if line is not None)
    return tuple(reversed(unique))


class OutputBuffer(io.TextIOBase):
    """A text stream that stores up to `limit` characters and drops the rest."""

    encoding = "utf-8"

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.parts: list[str] = []
        self.length = 0

    def write(self, text: object) -> int:
        """Store text, or as much of it as the limit allows."""
        text = str(text)
        remaining = self.limit - self.length
        if remaining > 0:
            self.parts.append(text[:remaining])
            self.length += len(text[:remaining])
        return len(text)

    def text(self) -> str:
        """Return the stored text, with a note if the rest was dropped."""
        note = "\n... (output is longer than the limit)\n" if self.length >= self.limit else ""
        return printable("".join(self.parts)) + note

    def writable(self) -> bool:
        """Return True."""
        return True


def discard_output() -> None:
    """Discard what a kernel prints outside of cells."""
    sys.stdout = sys.stderr = OutputBuffer(0)  # type: ignore[assignment]  # has what print needs
