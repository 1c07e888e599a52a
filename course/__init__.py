"""Building CNNs with Keras: what a notebook imports.

A notebook opens with `run = course.setup(profile=profile, seed=seed)` and keeps the numbers that
its lesson stands on with `course.record(test_accuracy=0.987)`. Nothing here imports Keras before
it is needed, so that the command `course` starts at once.
"""

from course.metrics import record
from course.notebook_cells import cell_source
from course.profiles import PROFILES
from course.session import Run, setup

__all__ = ["PROFILES", "Run", "cell_source", "record", "setup"]
__version__ = "0.1.0"
