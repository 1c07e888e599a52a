"""Graded quizzes: questions with their own values, asked without revealing the right answers."""

from string import ascii_lowercase

from course.questions.bank import draw
from course.questions.question import NUMBER, SEVERAL, SHAPE, find_form_error, is_open, judge

ANSWER_FORMATS = {
    NUMBER: "a number",
    SHAPE: "a tuple such as (28, 28, 1)",
    SEVERAL: 'all that apply, as a set of letters such as {"a", "c"}',
}


class Quiz:
    """Questions with the keys q1, q2, and so on; a notebook shows the quiz as Markdown.

    Parameters
    ----------
    *names : str
        Keys of `course.questions.BANK`. A repeated name adds a question with different values.
    seed : int
        Seed of the questions' values.
    student : str, optional
        Name of a student, who gets personal values. By default, all students get the same values.

    Attributes
    ----------
    questions : dict of str to Question
        The questions by key.
    """

    def __init__(self, *names, seed, student=None):
        self.names, self.seed, self.student = names, seed, student
        # The seed's text determines the values, and so the answers, of quizzes that are in use.
        self.questions = {
            f"q{number}": draw(name, f"sheet|{seed}|{number}|{student or ''}")
            for number, name in enumerate(names, start=1)
        }

    def without_student(self):
        """Return the quiz as a student who has not entered a name sees it."""
        return Quiz(*self.names, seed=self.seed)

    def _repr_markdown_(self):
        parts = [f"*Values for {self.student}.*"] if self.student else []
        for key, question in self.questions.items():
            answer_format = ANSWER_FORMATS.get(question.kind, "one letter")
            parts.append(f"**{key}** ({answer_format}). {question.text}")
            parts += [
                f"&nbsp;&nbsp;&nbsp;&nbsp;{letter}) {choice.text}"
                for letter, choice in zip(ascii_lowercase, question.choices, strict=False)
            ]
        return "\n\n".join(parts)

    def __repr__(self):
        return self._repr_markdown_().replace("&nbsp;", " ").replace("**", "")

    def report_unanswered(self, answers):
        """Print which answers are missing or have a wrong form; only grading says which are right.

        Parameters
        ----------
        answers : dict
            Answers by key.
        """
        if not isinstance(answers, dict):
            print("answers is not a dict: write, for example, answers = {'q1': ..., 'q2': ...}.")
            return
        unknown = [key for key in answers if key not in self.questions]
        unanswered = [key for key in self.questions if is_open(answers.get(key))]
        errors = {
            key: find_form_error(question, answers[key])
            for key, question in self.questions.items()
            if key not in unanswered
        }
        unusable = {key: error for key, error in errors.items() if error is not None}
        total = len(self.questions)
        print(f"{total - len(unanswered) - len(unusable)} of {total} questions answered.")
        if unanswered:
            print(f"Not answered yet: {', '.join(unanswered)}.")
        for key, error in unusable.items():
            print(f"{key} cannot be graded: {error}")
        if unknown:
            print(f"There is no question {', '.join(map(str, unknown))}.")


def report(questions, answers):
    """Print one line per question: whether its answer is right, and why.

    Use it to check values that students compute themselves. It reveals why an answer is right or
    wrong, whereas a graded `Quiz` does not.

    Parameters
    ----------
    questions : dict of str to Question
    answers : dict
        Answers by the names of the questions.
    """
    if not isinstance(answers, dict):
        print("Not yet: answers is not a dict, such as {'name': 1}.")
        return
    for name, question in questions.items():
        verdict = judge(question, answers.get(name))
        reason = verdict.student_reason or verdict.reason
        print(f"{'ok' if verdict.credit == 1 else 'Not yet'}: {name}: {reason}")
