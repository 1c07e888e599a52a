"""What a look at a subject yields."""

from dataclasses import dataclass

OK, NOTE, LACK = "ok", "note", "lack"


@dataclass(frozen=True)
class Finding:
    """What was found out about one subject.

    Attributes
    ----------
    state : str
        OK; NOTE, which grading can do without; or LACK, which it cannot.
    subject : str
        One of `course.instructor.doctor.SUBJECTS`.
    text : str
        What there is, or what there is not and what to do about it.
    """

    state: str
    subject: str
    text: str

    def __str__(self):
        return f"{self.state:<5}{self.subject:<12}{self.text}"
