"""Watching a folder of uploads: collecting, grading, and returning feedback as they arrive."""
