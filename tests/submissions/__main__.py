"""Lay out a class of fixture submissions: `python -m tests.submissions DIR ASSIGNMENT`."""

import sys

from tests.submissions import behaviours, lay_out

destination, assignment = sys.argv[1:]
print(f"{lay_out(destination, assignment)}: {', '.join(behaviours(assignment))}")
