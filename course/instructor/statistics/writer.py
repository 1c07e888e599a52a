"""Writing the statistics of an assignment as an HTML page."""

import statistics
from pathlib import Path

from course.files import write_atomically
from course.instructor import pages
from course.instructor.statistics.class_statistics import ClassStatistics


def write(root: Path, found: ClassStatistics) -> Path:
    """Write the page to `build/statistics/` and return its path."""
    path = Path(root, "build", "statistics", found.assignment, "index.html")
    page = pages.render("statistics.html", found=found, median=statistics.median)
    write_atomically(path, page)
    return path
