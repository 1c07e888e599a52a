"""Finding suspiciously similar submissions, for manual review."""
