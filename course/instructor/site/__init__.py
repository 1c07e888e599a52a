"""The course's web site, built from the public tree."""
