"""A whole term of a example class, with commands that are killed.

`python -m tests.benchmarks.term` creates a course directory with three small assignments, plays a
term, and compares every score with one that is computed without the course's own code.

- `assignments` has the source notebooks, and the points that each possible answer earns.
- `example_class` draws from a seed who the students are and what they submit, and when.
- `steps` is the term: what the instructor and the platforms do, and the documented commands.
- `marking` marks written answers through the server of `course mark`.
- `play` runs the steps; at random moments, it kills a command with SIGKILL and runs it again.
- `expected_scores` computes what every student must get, from the drawn answers alone.
- `comparison` compares that with the gradebook, the exported files, and the feedback pages, and
  checks that no submitted file is lost and that nothing half-written is left.
"""
