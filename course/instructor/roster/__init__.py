"""The class roster and the groups of students who submit together."""
