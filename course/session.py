"""Opening a notebook: what `course.setup` settles, and the `Run` it returns."""

import logging
import os
from dataclasses import dataclass

from course.errors import CourseError
from course.profiles import PROFILES, check_profile

# The run that this process has opened last; what is recorded says where it was measured.
opened = None


@dataclass(frozen=True)
class Run:
    """One run of a notebook, as `setup` settled it.

    Attributes
    ----------
    profile : str
        One of `PROFILES`.
    seed : int
        What every random number of the run starts from.
    backend : str
        The library that computes for Keras: "tensorflow", "jax" or "torch".
    device : str
        "GPU" or "CPU".
    """

    profile: str
    seed: int
    backend: str
    device: str

    def choose(self, *, smoke, cpu, gpu):
        """Return the value for this run's profile."""
        return {"smoke": smoke, "cpu": cpu, "gpu": gpu}[self.profile]


def setup(profile=None, seed=0):
    """Open a notebook: settle the profile, seed every random number, print where we are.

    Parameters
    ----------
    profile : {"smoke", "cpu", "gpu"}, optional
        None means the environment variable COURSE_PROFILE where it is set, else "gpu" where Keras
        sees a GPU, else "cpu".
    seed : int
        Seeds Python, NumPy and the Keras backend.

    Returns
    -------
    Run
        What was settled.

    Raises
    ------
    CourseError
        If there is no such profile or the seed is not a whole number of at least 0.
    """
    if profile is not None:
        check_profile(profile)
    elif "COURSE_PROFILE" in os.environ:
        profile = check_profile(os.environ["COURSE_PROFILE"], origin="COURSE_PROFILE")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise CourseError(
            f"seed={seed!r} is not a whole number from 0 to 4294967295: choose one, such as 0."
        )

    # Keras takes seconds to import; a wrong argument should not cost them.
    import keras

    from course import datasets

    backend = keras.backend.backend()
    device = _device(backend)
    global opened
    run = opened = Run(profile or device.lower(), seed, backend, device)
    keras.utils.set_random_seed(seed)
    # A notebook trains several networks, which TensorFlow takes for a mistake and warns about.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    data = "synthetic" if run.profile == "smoke" else datasets.data_directory()
    print(f"Keras {keras.__version__} on {run.backend}, {device}")
    print(f"profile  {run.profile}: {PROFILES[run.profile]}")
    print(f"data     {data}")
    print(f"seed     {seed}")
    return run


def _device(backend):
    """Return "GPU" where the backend computes on one, else "CPU"."""
    # Each backend is asked itself: keras.distribution knows no torch.
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
