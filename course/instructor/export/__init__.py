"""Exporting scores as CSV for spreadsheets, Canvas, and Moodle."""
