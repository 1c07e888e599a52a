"""`course run`: running the solution notebooks."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from course.errors import CourseError
from course.instructor.cli import forkserver_warmup, options
from course.instructor.course_dir import assignment_names, source_notebook
from course.instructor.thread_safe_parsing import parse_literal
from course.profiles import PROFILES, check_profile

if TYPE_CHECKING:
    from course.instructor.regression.checked_run import CheckedRun


@click.command("run")
@options.names
@click.option(
    "--profile", default="smoke", metavar="PROFILE", help=f"One of {', '.join(PROFILES)}."
)
@click.option("--seed", type=int, default=0, metavar="SEED", help="Seed of all random numbers.")
@options.count(
    "--seeds",
    "Number of runs, with consecutive seeds from --seed; prints means and standard deviations.",
    default=1,
)
@options.parameters
@options.workers("notebooks to run", default="one per GPU, or one per core")
@options.scheduler("Run")
@options.count("--share-gpu", "Number of notebooks that may use the same GPU at a time.", default=1)
@click.option(
    "--update-bands",
    is_flag=True,
    help="Replace the bands with bands from these runs, and list those that widen.",
)
@click.option(
    "--update-references",
    is_flag=True,
    help="Replace the references of smoke runs with what the notebooks show now, and list what"
    " changed. Each notebook runs four times.",
)
@click.option(
    "--accept-differences",
    is_flag=True,
    help="Remove from the references whatever differs in these smoke runs, for example because of"
    " another version of Keras.",
)
@click.pass_obj
def command(
    root: Path,
    names: tuple[str, ...],
    profile: str,
    seed: int,
    seeds: int,
    parameters: tuple[str, ...],
    workers: int | None,
    scheduler: str | None,
    share_gpu: int,
    update_bands: bool,
    update_references: bool,
    accept_differences: bool,
) -> int:
    """Run the solution notebooks and compare their metrics.

    The metrics are compared with the recorded bands and written to the report. What a smoke run
    with seed 0 shows is also compared with a reference. NAME is an assignment, such as 02-mnist;
    without names, all assignments run. The exit code is 1 if a notebook fails, a metric is outside
    its band, or an output differs from the reference.
    """
    check_profile(profile)
    values = parse_parameters(parameters)
    for name in ("profile", "seed"):
        if name in values:
            raise CourseError(f"-p cannot set {name}: use --{name}.")
    from course.instructor.regression.band_measurement import MIN_SEEDS

    if update_bands and seeds < MIN_SEEDS:
        raise CourseError(
            f"bands need at least {MIN_SEEDS} seeds: specify --seeds {MIN_SEEDS} or more."
        )
    changes_references = update_references or accept_differences
    if changes_references and (profile, seed, seeds, values) != ("smoke", 0, 1, {}):
        option = "--update-references" if update_references else "--accept-differences"
        raise CourseError(
            f"references are made from smoke runs with seed 0: specify {option} without --profile,"
            " --seed, --seeds, or -p."
        )
    selected = assignment_names(root, names)
    if not scheduler:
        forkserver_warmup.start_for_notebooks()  # meanwhile, it imports what notebooks need
    from course.instructor.regression import plan, suite
    from course.recorded_metrics import text

    sources = {name: source_notebook(root, name) for name in selected}
    seed_range = list(range(seed, seed + seeds))
    run_plan = plan.Plan(root / "build" / "runs", sources, profile, seed_range, values)
    regression = suite.RegressionSuite(root, run_plan)
    for checked in regression.run(workers, scheduler, share_gpu):
        print(result_line(checked), flush=True)
        if len(run_plan.jobs) == 1:
            for metric, value in checked.run.metrics.items():
                print(f"    {metric} = {text(value)}")
    if update_bands:
        command_line = _command_line(names, profile, seed, seeds, parameters)
        for title, lines in regression.update_bands(command_line):
            print(title, *lines, sep="\n    ")
    if update_references:
        for title, lines in regression.update_references("course run --update-references"):
            print(title, *lines, sep="\n    ")
    if accept_differences:
        for title, lines in regression.accept_differences("course run --accept-differences"):
            print(title, *lines, sep="\n    ")
    page = regression.report()
    run_plan.finish()
    for title, lines in regression.seed_variation():
        print(title, *lines, sep="\n    ")
    # These come last because the progress bar occupied the last line until now.
    problems = regression.problems()
    for name, problem in problems:
        print(f"course: {name}: {problem}", file=sys.stderr)
    print(regression.summary())
    print(f"report: {page}")
    return 1 if problems else 0


def result_line(checked: "CheckedRun") -> str:
    """Return the line to print for one run."""
    run = checked.run
    seed = f"seed {run.seed}, " if run.seed else ""
    verdict = f"{run.seconds:.1f} s  {checked.summary}"
    return f"{run.assignment}  {run.setting}, {seed}{run.backend}  {verdict}"


def _command_line(
    names: tuple[str, ...], profile: str, seed: int, seeds: int, parameters: tuple[str, ...]
) -> str:
    """Return the command that measures the same bands again, to be recorded in the bands file."""
    words = ["course run", *names, f"--profile {profile}"]
    words += [f"--seed {seed}"] if seed else []
    words += [f"--seeds {seeds}", *(f"-p {pair}" for pair in parameters)]
    return " ".join([*words, "--update-bands"])


def parse_parameters(pairs: tuple[str, ...]) -> dict[str, Any]:
    """Return `NAME=VALUE` pairs as a dict; a value that is not a Python literal is a string."""
    parameters = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise CourseError(f"-p {pair} has no value: write it as -p NAME=VALUE.")
        try:
            # Runs are saved as JSON, in which tuples become lists and sets are not allowed.
            parameters[name] = json.loads(json.dumps(parse_literal(value)))
        except (ValueError, SyntaxError, TypeError):
            parameters[name] = value
    return parameters
