"""Taking in what students handed in."""
