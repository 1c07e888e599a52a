"""Running cells in IPython, with errors and output as data."""

import builtins
import contextlib
import linecache
import re
import signal
import sys
import traceback

_CONTROL = dict.fromkeys([*range(9), 11, 12, *range(14, 32), *range(127, 160)])
_CONTROL |= dict.fromkeys((1564, 8206, 8207, *range(8234, 8239), *range(8294, 8298)))
_CONTROL |= dict.fromkeys(range(0xD800, 0xE000), "\ufffd")  # half a letter: no file can have it
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?)")
_shell = None


def prepare():
    """Make the IPython shell; done once, before any kernel is forked."""
    global _shell
    from IPython.core.displayhook import DisplayHook
    from IPython.core.history import HistoryManager
    from IPython.core.interactiveshell import InteractiveShell

    class _KeepResult(DisplayHook):
        def __call__(self, result=None):
            self.exec_result.result = result

    HistoryManager.enabled = False
    _shell = InteractiveShell.instance()
    _shell.showtraceback = lambda *args, **kwargs: None  # errors are results here, not text
    _shell.showsyntaxerror = lambda *args, **kwargs: None
    # Nobody looks at figures here, so none is drawn.
    _shell.display_pub.publish = lambda *args, **kwargs: None
    _shell.displayhook = _shell.display_trap.hook = _KeepResult(shell=_shell)
    _shell.system = _shell.system_raw  # the other way wants a terminal
    _shell.enable_gui = lambda gui=None: None  # %matplotlib inline asks for none
    # Its history keeps all that is printed, without a limit.
    _shell._tee = lambda channel: contextlib.nullcontext()


def start():
    """Return this kernel's namespace; called once in it."""
    import random

    import numpy

    # Each kernel is forked from the same state.
    random.seed()
    numpy.random.seed()
    signal.signal(signal.SIGINT, _interrupt)
    return _shell.user_ns


_running = _put_off = False


def _interrupt(number, frame):
    global _put_off
    # One that comes too late, when the cell has ended, must not end the kernel.
    if _running:
        raise KeyboardInterrupt
    _put_off = True


@contextlib.contextmanager
def interruptible():
    """Let an interrupt stop what runs in this block."""
    global _running
    _running = True
    try:
        yield
    finally:
        _running = False


@contextlib.contextmanager
def in_one_piece():
    """Put an interrupt of what runs off to the end of this block."""
    global _running, _put_off
    was_running, _running, _put_off = _running, False, False
    try:
        yield
    finally:
        _running = was_running
    if was_running and _put_off:
        raise KeyboardInterrupt


def run_cell(source, name, printed):
    """Run a cell.

    Parameters
    ----------
    source : str
        As a notebook has it, magics included.
    name : str
        What the cell is called where an error names its lines.
    printed : Printed
        Takes what the cell prints.

    Returns
    -------
    dict
        "error": None or a description by `describe`; "value": the last line's value as the text of
        a float, "nan" if it is no number, or None.
    """
    source = str(source)
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            with interruptible():
                code_name = _shell.compile.get_code_name
                _shell.compile.get_code_name = lambda *arguments: f"<{name}>"
                try:
                    result = _shell.run_cell(source, store_history=False)
                finally:
                    _shell.compile.get_code_name = code_name
        except KeyboardInterrupt as error:
            return {"error": describe(error, name), "value": None}
        except SystemExit as error:
            return {"error": describe(error, name), "value": None}
    error = result.error_before_exec or result.error_in_exec
    return {
        "error": None if error is None else describe(error, name),
        "value": _number(result.result) if error is None else None,
    }


def _number(value):
    """Return the text of a number, whichever type of number it is; None for None."""
    import numpy as np

    if value is None:
        return None
    number = float("nan")
    if isinstance(value, int | float | np.generic | np.ndarray):
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            number = float(value)
    return str(number)


def describe(error, cell_name):
    """Return an exception as data: its class, its message, where in the cell, and that line."""
    kind = type(error)
    lines, text, in_cell = [], "", False
    if isinstance(error, SyntaxError):
        lines, text = [error.lineno], (error.text or "").strip()
    else:
        for frame in traceback.extract_tb(error.__traceback__):
            in_cell = frame.filename == f"<{cell_name}>"
            if in_cell:
                lines.append(frame.lineno)
                text = (linecache.getline(frame.filename, frame.lineno) or "").strip()
    parts = None
    try:
        message = str(error.msg if isinstance(error, SyntaxError) else error)
        if kind.__module__ == "course.checks":
            parts = {name: printable(part)[:4000] for name, part in error.parts.items()}
    except Exception:  # a class of the notebook's own may fail even at this
        message = ""
    return {
        "class": kind.__name__
        if kind.__module__ in ("builtins", "course.checks")
        else f"{kind.__module__}.{kind.__name__}".removeprefix("__main__."),
        "message": printable(message)[:4000],
        # The message of a check in its parts, of which students may not read all.
        "parts": parts,
        "line": lines[-1] if lines else None,
        # From the outermost frame inwards: a line of the cell may have called another one.
        "lines": lines,
        "in_cell": in_cell,  # and not in what the cell calls
        "text": printable(text)[:200],
        # Its words are a student's, who may have put there what a test handed in.
        "from_student": bool(getattr(error, "from_student", False)),
    }


def is_builtin_exception(name):
    """Return whether a name is that of one of Python's own ordinary exceptions."""
    kind = getattr(builtins, name, None)
    return isinstance(kind, type) and issubclass(kind, Exception)


def printable(text):
    """Return a text without what would command a terminal: colours, titles, other direction."""
    return _ESCAPES.sub("", str(text)).translate(_CONTROL)


class Printed:
    """A text stream that keeps what is written up to a limit and drops the rest."""

    encoding = "utf-8"

    def __init__(self, limit):
        self.limit = limit
        self.parts = []
        self.length = 0

    def write(self, text):
        """Keep a text, or as much of it as there is room for."""
        text = str(text)
        room = self.limit - self.length
        if room > 0:
            self.parts.append(text[:room])
            self.length += len(text[:room])
        return len(text)

    def text(self):
        """Return what was kept."""
        cut = "\n... (more was printed than is kept)\n" if self.length >= self.limit else ""
        return printable("".join(self.parts)) + cut

    def flush(self):
        """Do nothing: nothing is buffered."""

    def isatty(self):
        """Return False: nobody watches."""
        return False

    def writable(self):
        """Return True."""
        return True


def stop_writing():
    """Send what a kernel prints outside of cells nowhere."""
    sys.stdout = sys.stderr = Printed(0)
