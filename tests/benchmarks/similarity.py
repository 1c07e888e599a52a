"""The ranks of copies among all pairs of a simulated class, and the time to find them.

python -m tests.benchmarks.similarity                       # 60 students, ten seeds
python -m tests.benchmarks.similarity --count 200 --seeds 3
"""

import argparse
import contextlib
import io
import re
import tempfile
import time
from pathlib import Path

from course.instructor.cli import main as cli
from tests.instructor.similarity.simulated_class import KINDS, NAME, make_class

ROW = re.compile(r"^ +[\d.]+  (\S.*)$", re.M)


def rank_of(pair, rows):
    """Return the rank of a pair in the list, from 1, or None."""
    return next((rank for rank, row in enumerate(rows, 1) if pair <= row), None)


def listed_groups(root, max_groups):
    """Return the students of each line of `course similar`, in order."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        cli.main(["-C", str(root), "similar", NAME, "--most", str(max_groups)])
    text = out.getvalue()
    same = re.findall(r"^ +(\S+(?:, \S+)*): the same cells", text, re.M)
    rows = [re.sub(r" \(and [^)]*\)", "", row) for row in ROW.findall(text)]
    return [set(row.split(", ")) for row in [*same, *rows] if ":" not in row]


def main():
    """Print one line per seed, then the ranks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    ranks = {kind: [] for kind in KINDS}
    for seed in range(arguments.seeds):
        with tempfile.TemporaryDirectory() as folder:
            root, pairs = make_class(Path(folder), arguments.count, seed)
            start = time.perf_counter()
            rows = listed_groups(root, 1_000)
            seconds = time.perf_counter() - start
        for kind, pair in pairs.items():
            ranks[kind].append(rank_of(pair, rows))
        found = ", ".join(f"{kind} {ranks[kind][-1] or '-'}" for kind in KINDS)
        print(f"seed {seed}: {found}; {len(rows)} listed, {seconds:.1f} s", flush=True)
    for kind, found in ranks.items():
        print(f"{kind:12} rank {' '.join(str(rank or '-') for rank in found)}")


if __name__ == "__main__":
    main()
