"""Runs of the solution notebooks by `course run`, one per notebook and seed."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from course.instructor.regression.bands import BANDS_PATH, Bands
from course.instructor.regression.checked_run import check_run
from course.instructor.regression.run_records import NotebookRun
from course.instructor.regression.run_store import load
from tests.benchmarks.gpu.plan import Measurement, OutOfTimeError, Part
from tests.submissions import ROOT

# Estimated for an H100, in the gpu profile. Unknown notebooks get the largest of them.
SECONDS = {
    "01-convolution": 20, "02-mnist": 60, "03-vgg16": 60, "04-mlp-vs-cnn": 150,
    "05-deeper-cnn": 150, "06-dropout-batchnorm": 240, "07-transfer-learning": 120,
    "08-capstone": 150,
}  # fmt: skip
SMOKE_SECONDS = 40  # on two cores
# Works without an installed `course` command, too.
COURSE = "from course.instructor.cli.main import main; raise SystemExit(main())"
SECONDS_TO_END = 10  # from the request to end until the process is killed


class NotebookPart(Part):
    """Runs of notebooks; the first seed of all notebooks comes first."""

    def __init__(self, names: list[str], profile: str, seeds: list[int], folder: Path) -> None:
        """`folder` keeps the executed notebooks, and what an interrupted run has trained."""
        self._profile, self._folder = profile, folder
        smoke = profile == "smoke"
        super().__init__(
            [
                Measurement(
                    f"notebook {name}, seed {seed}, {profile} profile",
                    SMOKE_SECONDS if smoke else SECONDS.get(name, max(SECONDS.values())),
                    (name, seed),
                )
                for seed in seeds
                for name in names
            ]
        )

    def prepare(self, chosen: list[Measurement]) -> None:
        """Create a course directory, because one directory admits one `course run` at a time."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for name in ("nbgrader_config.py", "source", "tests"):
            with contextlib.suppress(FileExistsError):
                (self._folder / name).symlink_to(ROOT / name)

    def measure(self, measurement: Measurement, deadline: float) -> list[dict[str, Any]]:
        """Run a notebook; a metric outside its band is noted, but is no failure."""
        name, seed = measurement.subject
        options = ["run", name, "--profile", self._profile, "--seed", str(seed)]
        run = NotebookRun(name, self._profile, os.environ["KERAS_BACKEND"], seed)
        stored = self._folder / "build" / "runs" / name / run.folder_name
        started = time.time()
        output = _run_command(
            [sys.executable, "-c", COURSE, "-C", str(self._folder), *options], deadline
        )
        found = load(stored)
        if found is None or (stored / "metrics.json").stat().st_mtime < started:
            raise RuntimeError(f"course {' '.join(options)}: {' '.join(output.split())[-600:]}")
        if found.error:
            raise RuntimeError(found.error)
        problems = check_run(found, Bands(ROOT / BANDS_PATH), ROOT).problems
        found.notebook = ""  # a path on this machine
        return [{"kind": "notebook", "problems": problems} | asdict(found)]


def _run_command(command: list[str], deadline: float) -> str:
    """Run a command, end it at the deadline, and return its output."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    # Without its own reservation, this process leaves the memory to the notebook, which runs with
    # the setting that its user has.
    environment.pop("XLA_PYTHON_CLIENT_PREALLOCATE", None)
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        return process.communicate(timeout=max(1, deadline - time.perf_counter()))[0]
    except subprocess.TimeoutExpired:
        raise OutOfTimeError("ended because the time was up; the next call continues it") from None
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)  # as Ctrl-C does, so that its kernels end too
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=SECONDS_TO_END)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
