"""Handling of students' text in processes with limits on time and memory."""
