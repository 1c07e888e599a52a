"""The result of checking one subject."""

from dataclasses import dataclass

OK, NOTE, MISSING = "ok", "note", "missing"


@dataclass(frozen=True)
class Finding:
    """A line about a subject: OK, NOTE (grading works without what it names), or MISSING."""

    state: str
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.state:<8}{self.subject:<12}{self.text}"
