"""The result of checking one subject."""

from dataclasses import dataclass

OK, NOTE, MISSING = "ok", "note", "missing"


@dataclass(frozen=True)
class Finding:
    """A line about one subject: OK, a NOTE on what grading works without, or what is MISSING."""

    state: str
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.state:<8}{self.subject:<12}{self.text}"
