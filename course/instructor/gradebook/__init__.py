"""Reading nbgrader's gradebook: scores, class members, standings, and whether it is intact."""
