"""What a class did in an assignment: its scores, and the tests that it failed."""
