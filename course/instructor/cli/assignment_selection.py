"""Selection of the assignments that a command works on."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from course.errors import CourseError

Result = TypeVar("Result")


def find_for_each(
    names: Sequence[str], are_requested: bool, find: Callable[[str], Result]
) -> Iterator[tuple[str, Result]]:
    """Yield each assignment for which `find` succeeds, with the result.

    An assignment without submissions, for which `find` raises CourseError, is an error only if the
    user requested it by name, or if no assignment has submissions. The first such error is raised
    after all assignments have been tried.
    """
    errors, is_empty = [], True
    for name in names:
        try:
            result = find(name)
        except CourseError as error:
            errors.append(error)
            continue
        is_empty = False
        yield name, result
    if errors and (are_requested or is_empty):
        raise errors[0]
