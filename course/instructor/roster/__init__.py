"""The class roster and the groups of a class."""
