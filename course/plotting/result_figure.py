"""The figure of an assignment's finished result, which a notebook shows at its top."""

import tomllib
from pathlib import Path
from typing import Any

# `course figures` writes the images; the alternative texts are written by hand.
FOLDER = Path(__file__).parent / "result_figures"
ALT_TEXTS = FOLDER / "alt_texts.toml"


class ResultFigure:
    """The figure of a finished result: a PNG image with an alternative text.

    Attributes
    ----------
    image : bytes or None
        The PNG file; None if this version of the course does not contain it.
    alt : str
        A sentence that describes the figure.
    """

    def __init__(self, image: bytes | None, alt: str) -> None:
        self.image, self.alt = image, alt

    def __repr__(self) -> str:
        return self.alt

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data: dict[str, Any] = {"text/plain": self.alt}
        if self.image is None:
            return data, {}
        return data | {"image/png": self.image}, {"image/png": {"alt": self.alt}}


def result(name):
    """Return the figure of an assignment's finished result, drawn from a complete run.

    The figure is part of the course's package, so showing it requires no computation.

    Parameters
    ----------
    name : str
        The name of the assignment, such as "02-mnist".

    Returns
    -------
    ResultFigure
        An object that a notebook displays as an image, with an alternative text.
    """
    path = image_path(name)
    image = path.read_bytes() if path.is_file() else None
    return ResultFigure(image, alt_text(name) or "This version of the course has no such figure.")


def image_path(name: str) -> Path:
    """Return the path of an assignment's figure, whether or not the file exists."""
    return FOLDER / f"{Path(name).name}.png"


def alt_text(name: str) -> str:
    """Return the alternative text of an assignment's figure; "" if there is none."""
    texts = tomllib.loads(ALT_TEXTS.read_text(encoding="utf-8")) if ALT_TEXTS.is_file() else {}
    return " ".join(texts.get(name, "").split())
