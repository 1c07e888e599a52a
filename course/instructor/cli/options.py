"""Arguments and options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)

names = click.argument("names", nargs=-1, metavar="[NAME]...")
roster = click.option(
    "--roster",
    type=PATH,
    metavar="FILE",
    show_default="roster.csv in the course directory",
    help="Class roster as a CSV file.",
)
parameters = click.option(
    "-p",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set any other parameter of the notebooks; repeatable.",
)
replace_submissions = click.option(
    "--force",
    is_flag=True,
    help="Replace existing submissions with others that may be older; save the replaced ones.",
)
no_isolation = click.option(
    "--no-isolation",
    is_flag=True,
    help="Run submissions without a sandbox and with your permissions; only if you trust them.",
)


def student(help_text: str) -> Callable[[Function], Function]:
    """Return the option that selects one student."""
    return click.option("--student", metavar="STUDENT", help=help_text)


def count(name: str, help_text: str, **settings: Any) -> Callable[[Function], Function]:
    """Return an option whose value is a positive integer."""
    return click.option(name, type=click.IntRange(1), metavar="N", help=help_text, **settings)


def workers(what: str, default: str = "one per core") -> Callable[[Function], Function]:
    """Return the option for the number of parallel processes."""
    return count("--workers", f"Number of {what} at a time.", show_default=default)


def scheduler(verb: str) -> Callable[[Function], Function]:
    """Return the option that names a Dask cluster."""
    return click.option(
        "--scheduler", metavar="ADDRESS", help=f"{verb} on the Dask cluster at this address."
    )
