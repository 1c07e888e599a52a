"""Count the small mistakes that the checks notice.

    python -m tests.benchmarks.mutations                  # the smoke regression
    python -m tests.benchmarks.mutations --check tests    # the tests of the notebook
    python -m tests.benchmarks.mutations --check tests --survivors   # for those that smoke misses
    python -m tests.benchmarks.mutations --only "06 "     # only the mutations of notebook 06

Each mutation is applied to a copy of the course. The command prints what noticed it, and at the end
the share and the survivors; for the smoke regression, also with the bands and claims alone, without
the references. Results are kept in `build/mutations.json`: an interrupted command
continues where it stopped. Delete this file to measure again.
"""
