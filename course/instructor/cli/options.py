"""Arguments and options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)
POSITIVE = click.IntRange(min=1)

names = click.argument("names", nargs=-1, metavar="[NAME]...")
roster = click.option(
    "--roster",
    type=PATH,
    metavar="FILE",
    show_default="roster.csv of the course directory",
    help="Class list as a CSV file.",
)


def student(help_text: str) -> Callable[[Function], Function]:
    """Return the option that selects one student."""
    return click.option("--student", metavar="STUDENT", help=help_text)


def workers(what: str, default: str = "one per core") -> Callable[[Function], Function]:
    """Return the option for the number of parallel processes."""
    return click.option(
        "--workers",
        type=POSITIVE,
        metavar="N",
        show_default=default,
        help=f"Number of {what} at a time.",
    )


def scheduler(verb: str) -> Callable[[Function], Function]:
    """Return the option that names a Dask cluster."""
    return click.option(
        "--scheduler", metavar="ADDRESS", help=f"{verb} on the Dask cluster at this address."
    )
