"""What each command of `course` does: calls one function, prints, returns the exit code.

Modules that take seconds to import are imported by the commands that need them.
"""
