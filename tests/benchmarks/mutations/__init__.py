"""How many small mistakes do the checks notice?

    python -m tests.benchmarks.mutations                  # the smoke regression, about 30 s each
    python -m tests.benchmarks.mutations --check tests    # the tests of the notebook
    python -m tests.benchmarks.mutations --only "06 "     # only the mutations of notebook 06

Each mutation is applied to a copy of the course. The command prints what noticed it, and at the end
the share and the survivors. Results are kept in `build/mutations.json`: an interrupted command goes
on where it was. Delete this file to measure again.
"""
