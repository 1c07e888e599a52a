"""Grading of submissions in isolated kernels, and saving of the results with nbgrader's steps."""
