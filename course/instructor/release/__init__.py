"""Releases and the public tree, which students receive."""
