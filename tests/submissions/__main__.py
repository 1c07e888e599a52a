"""Create a class of fixture submissions: `python -m tests.submissions DIR ASSIGNMENT`."""

import sys

from tests.submissions import create_fixture_class, read_fixtures

destination, assignment = sys.argv[1:]
print(f"{create_fixture_class(destination, assignment)}: {', '.join(read_fixtures(assignment))}")
