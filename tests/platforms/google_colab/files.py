"""Downloads in the browser."""

from pathlib import Path


def download(filename):
    """Check that the file exists, as Colab does before it starts a download."""
    if not Path(filename).is_file():
        raise FileNotFoundError(f"Cannot find file: {filename}")
