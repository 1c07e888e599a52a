"""Building CNNs with Keras: the package that notebooks import.

A notebook starts with `run = course.setup(profile=profile, seed=seed)` and records its results with
`course.record`. Keras is imported only when it is needed, so that the command `course` starts
immediately.
"""

from course.notebook_cells import cell_source
from course.profiles import PROFILES
from course.recorded_metrics import record
from course.session import Run, setup
from course.tables import table

__all__ = ["PROFILES", "Run", "cell_source", "record", "setup", "table"]
__version__ = "0.1.0"
