"""Collecting submissions into `submitted/` from the files that a learning platform exports."""
