"""Renaming and dropping students everywhere in a course directory."""
