"""Grading of submissions in isolated kernels; nbgrader saves the results."""
