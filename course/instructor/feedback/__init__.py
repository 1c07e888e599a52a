"""Feedback pages for students: one HTML page per graded submission."""
