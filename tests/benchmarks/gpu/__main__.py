"""Measure what is missing in the file of results; see the docstring of the package."""

import argparse
import os
import platform
import shlex
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
# `course run`, in a process of its own, needs memory of the same GPU.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

from course.errors import CourseError
from tests.benchmarks.gpu.plan import START, Part, log, measure_plan
from tests.benchmarks.gpu.results import Results
from tests.submissions import ROOT

CAPSTONE = "08-capstone"
# What is measured if the command line names nothing, in order of importance.
FALLBACK = "capstone=small, 10 epochs|small, 40 epochs|wide, 20 epochs"  # without CAPSTONE
DEFAULT = [
    "solution",
    "speed",
    # Of the seven experiments, those that h100.json does not contain come first.
    "momentum 10=VII",
    "plain=III,V,II,IV,VI,VII",
    "momentum 10=III,V,I,II,IV,VI",
    "plain=I",
    "notebooks=all",
]
# With --tiny, two experiments stand for all, because a CPU compiles each for half a minute.
TINY = ["solution", "speed", "momentum 10=III", "plain=I", "notebooks=all"]
SEEDS = 5
CAPSTONE_SEEDS = 3
HELP = """what to measure, in this order; by default: the solution of the capstone, speed, the seven
experiments of 06, and all notebooks. "solution"; "speed"; "CONFIGURATION=NAME,NAME" or
"CONFIGURATION=all" for experiments of 06, where CONFIGURATION is, for example, "plain" or
"momentum 10"; "lessons"; "capstone=NAME|NAME" or "capstone=all"; "notebooks=NAME,NAME" or
"notebooks=all"."""


def parse_arguments() -> argparse.Namespace:
    """Return the command line's options, with defaults that depend on others."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.gpu", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("measurements", nargs="*", metavar="MEASUREMENT", help=HELP)
    parser.add_argument("--output", type=Path, default=Path("build/gpu/results.json"))
    parser.add_argument("--seeds", type=int, help=f"default: {SEEDS}; capstone: {CAPSTONE_SEEDS}")
    parser.add_argument("--seconds", type=float, default=540, help="time in which all ends")
    parser.add_argument("--epochs", type=int, help="fewer epochs, to try the command")
    parser.add_argument(
        "--tiny", action="store_true", help="a few random images and smoke runs, for a CPU"
    )
    parser.add_argument("--list", action="store_true", help="print the plan, and measure nothing")
    options = parser.parse_args()
    if options.tiny:
        options.seeds = options.seeds or 1
        options.epochs = options.epochs or 1
    if not options.measurements:
        options.measurements = list(TINY if options.tiny else DEFAULT)
        if not has_capstone():
            options.measurements[0] = FALLBACK
    return options


def has_capstone() -> bool:
    """Return whether the assignment exists whose solution is measured."""
    return any(ROOT.glob(f"source/{CAPSTONE}/*.ipynb"))


def create_plan(options: argparse.Namespace) -> list[Part]:
    """Return the parts that the command line names, in order."""
    # They import JAX, which takes seconds and reserves a GPU.
    from tests.benchmarks.gpu import data, networks
    from tests.benchmarks.gpu.capstone import CONFIGURATIONS
    from tests.benchmarks.gpu.capstone_measurements import CapstonePart
    from tests.benchmarks.gpu.notebook_runs import NotebookPart
    from tests.benchmarks.gpu.notebook_trainings import LOOPS, LOOPS_OF_06, SolutionPart, SpeedPart
    from tests.benchmarks.gpu.replica_measurements import ReplicaPart

    tiny, epochs = options.tiny, options.epochs
    seeds = list(range(options.seeds or SEEDS))
    capstone_seeds = list(range(options.seeds or CAPSTONE_SEEDS))
    profile = "smoke" if tiny else "gpu"
    count = data.TINY if tiny else data.TRAINING_IMAGES
    parts: list[Part] = []
    jobs: list[networks.Job] = []
    position = 0  # of the experiments, which are compiled side by side
    for each in options.measurements:
        kind, _, names = each.partition("=")
        if kind == "solution":
            parts.append(SolutionPart(CAPSTONE, profile, capstone_seeds))
        elif kind == "capstone":
            known = [configuration.name for configuration in CONFIGURATIONS]
            chosen = _choose(names, known, "|")
            parts.append(CapstonePart(chosen, capstone_seeds, tiny, epochs))
        elif kind == "speed":
            if has_capstone():
                parts.append(SpeedPart(CAPSTONE, profile, LOOPS))
            loops = dict(list(LOOPS_OF_06.items())[: 2 if tiny else None])
            parts.append(SpeedPart("06-dropout-batchnorm", profile, loops, "III", "recipes"))
        elif kind == "lessons":
            lesson_jobs = networks.lesson_jobs(count - data.validation_count(count), epochs)
            parts.append(ReplicaPart(lesson_jobs, seeds, data.lesson_splits, tiny))
        elif kind == "notebooks":
            known = sorted(folder.name for folder in ROOT.glob("source/*/"))
            folder = options.output.resolve().with_suffix("")
            parts.append(NotebookPart(_choose(names, known), profile, seeds, folder))
        elif kind in networks.CONFIGURATIONS:
            position = position if jobs else len(parts)
            for name in _choose(names, list(networks.EXPERIMENTS)):
                jobs.append(networks.experiment(name, kind, epochs or 50, count))
        else:
            raise CourseError(f"there is nothing called {each!r} to measure: see --help.")
    if jobs:
        parts.insert(position, ReplicaPart(jobs, seeds, data.experiment_splits, tiny))
    return parts


def _choose(names: str, known: list[str], separator: str = ",") -> list[str]:
    """Return the names in a text; "" and "all" stand for all known ones."""
    if names in ("", "all"):
        return known
    chosen = names.split(separator)
    for name in chosen:
        if name not in known:
            raise CourseError(f"there is no {name!r}: choose from {separator.join(known)}.")
    return chosen


def describe_machine(tiny: bool) -> dict[str, Any]:
    """Return where and when this is measured."""
    import jax

    from course.instructor.regression.provenance import data_file_digests

    return {
        "machine": f"{jax.devices()[0].device_kind}, {os.cpu_count()} CPU cores",
        "versions": {"Python": platform.python_version()}
        | {name: version(name) for name in ("jax", "keras")},
        "date": time.strftime("%Y-%m-%d"),
        "data": "random" if tiny else data_file_digests(),
        "tiny": tiny,
    }


def _keep_compiled_programs(folder: Path) -> None:
    """Have JAX keep what it compiles in a folder, for later calls and further seeds.

    Only this process does so: in the runs of notebooks, compiling is part of the seconds.
    """
    import jax

    jax.config.update("jax_compilation_cache_dir", str(folder.resolve()))


def main() -> int:
    """Measure what the command line names; return 1 if a measurement failed."""
    options = parse_arguments()
    deadline = START + options.seconds
    try:
        parts = create_plan(options)
        if options.list:
            for each in (each for part in parts for each in part.measurements):
                print(f"{each.seconds:6.0f} s  {each.name}")
            return 0
        command = " ".join(["python -m tests.benchmarks.gpu", *map(shlex.quote, sys.argv[1:])])
        _keep_compiled_programs(options.output.with_suffix("") / "compiled")
        results = Results(options.output, describe_machine(options.tiny), command)
        results.write()
    except CourseError as error:
        print(f"benchmarks.gpu: {error}", file=sys.stderr)
        return 1
    log(f"{results.content['machine']}; results: {options.output}")
    failed, left_out = measure_plan(parts, results, deadline)
    log(f"{len(failed)} failed; {len(left_out)} left for the next call with the same --output")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
