"""Checking the options of an untrusted specification."""

from course.errors import CourseError

MAX_LENGTH = 8  # of a list
MAX_NAME = 60  # characters


def check_options(specification, example, limits):
    """Raise CourseError unless a specification has the options of an example, with valid values.

    The specification can be any JSON data. A network that is built from a checked specification is
    at most as large as the limits allow.

    Parameters
    ----------
    specification : object
    example : dict
        It contains all options, and a value of the right type for each: True or False, an integer,
        a float, a string, or a list of integers.
    limits : dict of (number, number)
        The smallest and the largest value of each option that is a number or a list of integers.

    Raises
    ------
    CourseError
        If an option is unknown, missing, or invalid; the message names it.
    """
    if not isinstance(specification, dict):
        raise CourseError("a configuration must be a dict, such as {**plain, 'name': 'mine'}.")
    unknown = [str(key)[:MAX_NAME] for key in specification if key not in example]
    missing = [key for key in example if key not in specification]
    if unknown:
        raise CourseError(f"there is no option {unknown[0]!r}: choose one of {', '.join(example)}.")
    if missing:
        raise CourseError(
            f"the option {missing[0]!r} is missing: begin with {{**plain, ...}}, which has all"
            " options."
        )
    for key, model in example.items():
        value = specification[key]
        if isinstance(model, list):
            _check_list(key, value, limits[key])
        elif isinstance(model, bool):
            if not isinstance(value, bool):
                raise CourseError(f"{key} must be True or False.")
        elif isinstance(model, str):
            if not isinstance(value, str) or not 0 < len(value.strip()) <= MAX_NAME:
                raise CourseError(f"{key} must be a string of 1 to {MAX_NAME} characters.")
        else:
            _check_number(key, value, limits[key], isinstance(model, int))


def _check_list(key: str, value: object, limits: tuple) -> None:
    """Raise an error unless a value is a short list of integers within the limits."""
    if not isinstance(value, list) or not 0 < len(value) <= MAX_LENGTH:
        raise CourseError(f"{key} must be a list of 1 to {MAX_LENGTH} integers.")
    for item in value:
        _check_number(f"each number in {key}", item, limits, is_integer=True)


def _check_number(key: str, value: object, limits: tuple, is_integer: bool) -> None:
    """Raise an error unless a value is a number within the limits."""
    lowest, highest = limits
    kinds = (int,) if is_integer else (int, float)
    is_number = isinstance(value, kinds) and not isinstance(value, bool)
    if not is_number or not lowest <= value <= highest:  # true for NaN, too
        kind = "an integer" if is_integer else "a number"
        raise CourseError(f"{key} must be {kind} from {lowest:,} to {highest:,}.")
