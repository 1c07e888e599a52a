"""The exception that the course raises for errors that its users can fix."""


class CourseError(Exception):
    """An error that a user can fix; its message says what is wrong, where, and what to do next.

    The message is one sentence. Commands print it and exit with status 1. In a notebook, IPython
    calls `_render_traceback_` and shows the same sentence instead of a traceback.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]
