"""Preloaded processes that run cells, sandboxed for submissions.

A *forkserver* imports Keras once and forks *kernels*. For submissions it runs inside bubblewrap,
and each kernel enters its own namespaces and mounts its own scratch folder.
"""
