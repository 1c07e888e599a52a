"""The result of checking one subject."""

from dataclasses import dataclass

OK, NOTE, MISSING = "ok", "note", "missing"


@dataclass(frozen=True)
class Finding:
    """The result of a check: OK, NOTE (grading works nevertheless), or MISSING; with its text."""

    state: str
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.state:<8}{self.subject:<12}{self.text}"
