"""Submissions that are remarkably alike, listed for a person to look at."""
