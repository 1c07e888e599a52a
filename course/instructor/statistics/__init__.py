"""Statistics of an assignment: the scores of a class, and the tests that it failed."""
