"""The platform on which a notebook runs, and the backends of Keras that are installed there."""

import importlib.util
import os


def on_kaggle() -> bool:
    """Return True on Kaggle, whose machines also have Colab's packages and variables."""
    return "KAGGLE_KERNEL_RUN_TYPE" in os.environ


def on_colab() -> bool:
    """Return True on Colab."""
    return "COLAB_RELEASE_TAG" in os.environ and not on_kaggle()


def choose_backend() -> None:
    """Set KERAS_BACKEND if only one backend is installed; call this before Keras is imported.

    With several, Keras uses the one in its own configuration, which is TensorFlow by default.
    """
    installed = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]
    if len(installed) == 1:
        os.environ.setdefault("KERAS_BACKEND", installed[0])
