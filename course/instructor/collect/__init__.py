"""Collecting submissions: from what a learning platform exports to `submitted/`."""
