"""A graded sheet: questions with numbers of their own, asked without saying what is right."""

from string import ascii_lowercase

from course.questions.bank import draw
from course.questions.question import NUMBER, SEVERAL, SHAPE

HOW = {
    NUMBER: "a number",
    SHAPE: "a tuple such as (28, 28, 1)",
    SEVERAL: 'all that apply, as a set of letters such as {"a", "c"}',
}


class Sheet:
    """Questions under the keys q1, q2, and so on; a notebook shows it as Markdown.

    Parameters
    ----------
    *names : str
        Of `course.questions.BANK`; the same name twice asks twice, with other numbers.
    seed : int
        The numbers of this sheet.
    student : str, optional
        Whose sheet it is: everybody's numbers differ. None: one sheet for all.

    Attributes
    ----------
    questions : dict of str to Question
        By key.
    student : str or None
        As given.
    """

    def __init__(self, *names, seed, student=None):
        self.names, self.seed, self.student = names, seed, student
        self.questions = {
            f"q{place}": draw(name, f"sheet|{seed}|{place}|{student or ''}")
            for place, name in enumerate(names, start=1)
        }

    def everybodys(self):
        """Return the sheet that a student sees who has given no name."""
        return Sheet(*self.names, seed=self.seed)

    def _repr_markdown_(self):
        parts = [f"*The numbers of {self.student}.*"] if self.student else []
        for key, question in self.questions.items():
            how = HOW.get(question.kind, "one letter")
            parts.append(f"**{key}** ({how}). {question.text}")
            parts += [
                f"&nbsp;&nbsp;&nbsp;&nbsp;{letter}) {choice.text}"
                for letter, choice in zip(ascii_lowercase, question.choices, strict=False)
            ]
        return "\n\n".join(parts)

    def __repr__(self):
        return self._repr_markdown_().replace("&nbsp;", " ").replace("**", "")

    def look_through(self, answers):
        """Say which questions are still open; whether an answer is right, grading says.

        Parameters
        ----------
        answers : dict
            Key to answer.
        """
        if not isinstance(answers, dict):
            print("answers is not a dict: write it as answers = {'q1': ..., 'q2': ...}.")
            return
        unknown = [key for key in answers if key not in self.questions]
        still_open = [key for key in self.questions if answers.get(key) in (None, ..., "")]
        done = len(self.questions) - len(still_open)
        print(f"{done} of {len(self.questions)} answered.")
        if still_open:
            print(f"Still open: {', '.join(still_open)}.")
        if unknown:
            print(f"No such question: {', '.join(map(str, unknown))}.")
