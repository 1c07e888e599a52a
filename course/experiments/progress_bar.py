"""A progress bar for notebooks, terminals, and static pages."""

import sys
from typing import Any

from tqdm import tqdm

# Shows neither a count nor a rate, because the unit of the work means nothing to the reader.
BAR_FORMAT = "{percentage:3.0f} % |{bar:24}| {elapsed} elapsed, about {remaining} left: {desc}"


class ProgressBar:
    """A one-line progress bar for long work in a cell.

    The notebook bar of tqdm needs ipywidgets and leaves nothing on a static page. The terminal bar
    of tqdm leaves hundreds of lines on such a page.

    Parameters
    ----------
    work : float
        The total amount of work, in any unit.

    Examples
    --------
    >>> bar = ProgressBar(work=30)
    >>> bar.describe("the first network")
    >>> bar.advance(10)
    >>> bar.close("One of three networks is trained.")
    One of three networks is trained.
    """

    def __init__(self, work):
        self._stream = _LineStream()
        # smoothing=0 averages over the whole time, because networks differ.
        options = {"bar_format": BAR_FORMAT, "mininterval": 0.5, "smoothing": 0, "leave": False}
        self._bar = tqdm(
            total=work, file=self._stream, **options, disable=not self._stream.is_visible
        )

    def describe(self, text):
        """Set the text after the bar, which describes the current work."""
        self._bar.set_description_str(text)

    def advance(self, work):
        """Add completed work, in the same unit as the total."""
        # Rounding errors can add up to a little more than the total.
        self._bar.update(min(work, self._bar.total - self._bar.n))

    def close(self, text):
        """Replace the bar with a final sentence."""
        self._bar.close()
        self._stream.close(text)


class _LineStream:
    """A text stream for tqdm that shows only the last line written to it."""

    def __init__(self) -> None:
        self._display = _notebook_display()
        self._handle: Any = None
        self.is_visible = self._display is not None or sys.stderr.isatty()

    def write(self, text: str) -> None:
        """Show a line in place of the previous one."""
        if self._display is None:
            sys.stderr.write(text)
        elif line := text.strip():
            self._show(line)

    def flush(self) -> None:
        """Flush the output if it goes to a terminal; notebook output does not need flushing."""
        if self._display is None:
            sys.stderr.flush()

    def close(self, text: str) -> None:
        """Show the final line."""
        if self._display is None:
            print(text)
        else:
            self._show(text)

    def _show(self, text: str) -> None:
        """Create or update the output of the cell."""
        content = {"text/plain": text}
        if self._handle is None:
            self._handle = self._display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


def _notebook_display() -> Any:
    """Return IPython's `display` function in a notebook, else None."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    # IPython in a terminal prints every update on a new line.
    return ipython.display.display if hasattr(shell, "kernel") else None
