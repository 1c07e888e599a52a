"""The platform on which a notebook runs, and importing Keras there."""

import contextlib
import importlib
import importlib.util
import os
import tempfile
from collections.abc import Iterator

from course.errors import CourseError

BACKENDS = ("tensorflow", "jax", "torch")


def on_kaggle() -> bool:
    """Return True on Kaggle, whose machines also have Colab's packages and variables."""
    return "KAGGLE_KERNEL_RUN_TYPE" in os.environ


def on_colab() -> bool:
    """Return True on Colab."""
    return "COLAB_RELEASE_TAG" in os.environ and not on_kaggle()


def load_keras() -> None:
    """Import Keras with a backend that is installed, without TensorFlow's log lines.

    TensorFlow 2.21 writes some lines before it reads the variables that hide them; a notebook shows
    them in red. Raises CourseError if no backend is installed.
    """
    choose_backend()
    with _stderr_of_failures():
        importlib.import_module("keras")


def choose_backend() -> None:
    """Set KERAS_BACKEND if only one backend is installed; call this before Keras is imported.

    With several, Keras uses the one in its own configuration, which is TensorFlow by default.
    Raises CourseError if none is installed.
    """
    installed = [name for name in BACKENDS if importlib.util.find_spec(name)]
    if not installed:
        raise CourseError(
            "Keras needs TensorFlow, JAX, or PyTorch, and none of them is installed: in a terminal,"
            " run pip install tensorflow, then restart the Jupyter kernel."
        )
    if len(installed) == 1:
        os.environ.setdefault("KERAS_BACKEND", installed[0])


@contextlib.contextmanager
def _stderr_of_failures() -> Iterator[None]:
    """Hide what is written to file descriptor 2, but show it if the block raises an exception."""
    with tempfile.TemporaryFile() as hidden, contextlib.ExitStack() as stack:
        stderr = os.dup(2)
        stack.callback(os.close, stderr)
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except BaseException:
            hidden.seek(0)
            os.write(stderr, hidden.read())
            raise
        finally:
            os.dup2(stderr, 2)
