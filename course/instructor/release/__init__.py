"""Releases and the public tree: what students receive."""
