"""The setup of a notebook: profile, seed, backend, and device."""

import logging
import os
from dataclasses import dataclass

from course.errors import CourseError
from course.profiles import PROFILES, check_profile

# The latest run of this process, which recorded metrics include to show where they were measured.
current_run = None


@dataclass(frozen=True)
class Run:
    """The settings of one run of a notebook, as `setup` returns them.

    Attributes
    ----------
    profile : str
        One of `PROFILES`.
    seed : int
        The seed of all random numbers.
    backend : str
        The library that Keras computes with: "tensorflow", "jax", or "torch".
    device : str
        "GPU" or "CPU".
    """

    profile: str
    seed: int
    backend: str
    device: str

    def choose(self, *, smoke, cpu, gpu):
        """Return the argument that is named after this run's profile."""
        return {"smoke": smoke, "cpu": cpu, "gpu": gpu}[self.profile]


def setup(profile=None, seed=0):
    """Set up a notebook: choose the profile, seed all random numbers, and print the settings.

    Parameters
    ----------
    profile : {"smoke", "cpu", "gpu"}, optional
        The default is the value of the environment variable COURSE_PROFILE if it is set; otherwise,
        it is "gpu" if Keras finds a GPU, or "cpu" if not.
    seed : int
        The seed for Python, NumPy, and the Keras backend.

    Returns
    -------
    Run
        The settings.

    Raises
    ------
    CourseError
        If there is no such profile, or the seed is not an integer from 0 to 2**32 - 1.
    """
    if profile is not None:
        check_profile(profile)
    elif "COURSE_PROFILE" in os.environ:
        profile = check_profile(os.environ["COURSE_PROFILE"], origin="COURSE_PROFILE")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise CourseError(
            f"seed={seed!r} is not an integer from 0 to 4294967295: choose one, such as 0."
        )

    # Keras takes seconds to import: check the arguments first.
    import keras

    from course import datasets

    backend = keras.backend.backend()
    device = _detect_device(backend)
    global current_run
    current_run = Run(profile or device.lower(), seed, backend, device)
    keras.utils.set_random_seed(seed)
    # TensorFlow would warn if a notebook trains several networks.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    profile = current_run.profile
    print(f"Keras {keras.__version__} on {backend}, {device}")
    print(f"profile  {profile}: {PROFILES[profile]}")
    print(f"data     {'synthetic' if profile == 'smoke' else datasets.data_directory()}")
    print(f"seed     {seed}")
    return current_run


def _detect_device(backend: str) -> str:
    """Return "GPU" if the backend computes on a GPU, else "CPU"."""
    # keras.distribution does not support torch, so ask each backend.
    if backend == "tensorflow":
        import tensorflow

        on_gpu = bool(tensorflow.config.list_physical_devices("GPU"))
    elif backend == "jax":
        import jax

        on_gpu = jax.default_backend() == "gpu"
    elif backend == "torch":
        import torch

        on_gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
    else:
        on_gpu = False
    return "GPU" if on_gpu else "CPU"
