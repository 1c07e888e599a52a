"""What the course uses of Colab's module `google.colab`, copied into an environment."""

from google.colab import _message, files

__all__ = ["_message", "files"]
