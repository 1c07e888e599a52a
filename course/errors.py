"""The one exception that the course raises at its users."""


class CourseError(Exception):
    """What a user can mend, in one sentence: what is wrong, where, and what to do.

    Commands print the sentence and exit with 1. In a notebook, IPython calls
    `_render_traceback_` and shows the same sentence instead of a traceback.
    """

    def _render_traceback_(self):
        return [f"{type(self).__name__}: {self}"]
