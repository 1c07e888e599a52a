"""Marking written answers by question."""
