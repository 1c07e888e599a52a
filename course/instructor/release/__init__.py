"""The public tree: what students get, and nothing else."""
