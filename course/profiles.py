"""Profiles: the data that a notebook uses and how long it may train."""

from course.errors import CourseError

# The description of each profile, as `setup` prints it.
PROFILES = {
    "smoke": "synthetic data generated from the seed; takes seconds",
    "cpu": "real data, or a subset of it, for a laptop",
    "gpu": "all of the real data; for a GPU",
}


def check_profile(name, origin="profile"):
    """Return a profile's name, or raise a CourseError that mentions `origin` if it is unknown."""
    if name not in PROFILES:
        raise CourseError(
            f"{origin}={name!r} is not a profile: choose one of {', '.join(PROFILES)}."
        )
    return name
