"""Profiles: which data a notebook uses and how long it may train."""

from course.errors import CourseError

# What each profile stands for, as `setup` prints it and as errors list it.
PROFILES = {
    "smoke": "synthetic data, made from the seed; seconds",
    "cpu": "real data, a part of it; minutes on a laptop",
    "gpu": "real data, all of it; for a GPU",
}


def check_profile(name, origin="profile"):
    """Return the name of a profile, or raise a CourseError that lists the known ones."""
    if name not in PROFILES:
        raise CourseError(
            f"{origin}={name!r} is not a profile: choose one of {', '.join(PROFILES)}."
        )
    return name
