"""A progress bar for notebooks, terminals and static pages."""

import sys

from tqdm import tqdm

# No count and no speed: what is counted is work, which has no unit that a reader knows.
LOOKS = "{percentage:3.0f} % |{bar:24}| {elapsed} passed, about {remaining} left: {desc}"


class ProgressBar:
    """Show how far long work in a cell is, in one line that is replaced as it goes on.

    tqdm's own bar for notebooks needs ipywidgets and leaves nothing on a static page; the one for
    terminals leaves hundreds of lines there.

    Parameters
    ----------
    work : float
        The whole of it, in any unit.

    Examples
    --------
    >>> bar = ProgressBar(work=30)
    >>> bar.say("the first network")
    >>> bar.advance(10)
    >>> bar.end("One network of three is trained.")
    One network of three is trained.
    """

    def __init__(self, work):
        self._line = _Line()
        # An average over the whole: networks differ, and a second means little.
        options = {"bar_format": LOOKS, "mininterval": 0.5, "smoothing": 0, "leave": False}
        self._bar = tqdm(total=work, file=self._line, **options, disable=not self._line.shown)

    def say(self, text):
        """Say what is being done, behind the bar."""
        self._bar.set_description_str(text)

    def advance(self, work):
        """Count work as done."""
        # Shares of a work that is no whole number add up to a little more than the whole.
        self._bar.update(min(work, self._bar.total - self._bar.n))

    def end(self, text):
        """Put a sentence in the bar's place; nothing is shown after it."""
        self._bar.close()
        self._line.end(text)


class _Line:
    """A text stream for tqdm that shows the last line written to it."""

    def __init__(self):
        self._display = _display_of_notebook()
        self._handle = None
        self.shown = self._display is not None or sys.stderr.isatty()

    def write(self, text):
        if self._display is None:
            sys.stderr.write(text)
        elif line := text.strip():
            self._show(line)

    def flush(self):
        if self._display is None:
            sys.stderr.flush()

    def end(self, text):
        if self._display is None:
            print(text)
        else:
            self._show(text)

    def _show(self, text):
        content = {"text/plain": text}
        if self._handle is None:
            self._handle = self._display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


def _display_of_notebook():
    """Return IPython's `display` where a notebook shows what it is given, else None."""
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    # A terminal's IPython prints every update on a line of its own.
    if shell is None or not hasattr(shell, "kernel"):
        return None
    return ipython.display.display
