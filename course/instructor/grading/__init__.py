"""Grading of submissions in isolated kernels, saved by nbgrader."""
