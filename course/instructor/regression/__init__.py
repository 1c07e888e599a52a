"""Headless runs of the solution notebooks, and the report on them."""
