"""The runs that one command requests, and those that a killed command has already finished."""

import json
import os
import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import papermill

from course.errors import CourseError
from course.experiments.store import fingerprint
from course.files import write_atomically
from course.instructor import file_lock
from course.instructor.regression.input_digest import input_digest
from course.instructor.regression.provenance import package_versions
from course.instructor.regression.run_records import NotebookRun, RunJob
from course.instructor.regression.run_store import load
from course.instructor.release import notebook_lint
from course.profiles import check_profile


class Plan:
    """The runs of one command: one per notebook and seed, in order."""

    def __init__(
        self,
        runs_folder: Path,
        sources: dict[str, Path],
        profile: str,
        seeds: list[int],
        extra_parameters: dict[str, Any],
    ) -> None:
        """Plan the runs of the source notebooks; `sources` maps each assignment to its notebook.

        Each notebook gets only the extra parameters that it has. Raises CourseError if no notebook
        has one of the parameters, if the profile does not exist, or if a notebook's kernel or
        parameters are unclear.
        """
        check_profile(profile)
        for source in sources.values():
            notebook_lint.read_source(source)
        backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        self.runs_folder = Path(runs_folder).resolve()
        self.seeds = seeds
        self.jobs: list[RunJob] = []
        self.earlier_seconds: dict[str, float] = {}  # of the run that was saved in a job's folder
        requested = sorted(extra_parameters)
        known = {name: list(papermill.inspect_notebook(source)) for name, source in sources.items()}
        for parameter in requested:
            if not any(parameter in names for names in known.values()):
                all_names = dict.fromkeys(name for names in known.values() for name in names)
                raise CourseError(
                    f"none of the notebooks to run has a parameter {parameter!r}: choose one of"
                    f" {', '.join(all_names)}."
                )
        for name, source in sources.items():
            extra = {each: extra_parameters[each] for each in requested if each in known[name]}
            text = source.read_text(encoding="utf-8")
            for seed in seeds:
                run = NotebookRun(name, profile, backend, seed, extra)
                folder = self.runs_folder / name / run.folder_name
                run.notebook = str(folder / source.name)
                run.versions = package_versions(backend)
                run.digest = input_digest(run, text)
                self.jobs.append(RunJob(run, str(source.resolve()), text, str(folder)))
        command_id = fingerprint(sorted(job.folder for job in self.jobs))
        self._unfinished_path = self.runs_folder / "unfinished" / f"{command_id}.json"

    def prepare(self) -> tuple[list[NotebookRun], list[RunJob]]:
        """Prepare the folders; return the runs that are done and the jobs that remain.

        If the same command was killed, its successful runs are done, and networks that its other
        runs have trained are reused, unless the notebook, the code, or a version has changed since
        then. Any other command starts with empty folders.
        """
        digests = {job.folder: job.run.digest for job in self.jobs}
        before = self._unfinished_digests()
        for job in self.jobs:
            earlier = load(job.folder)
            if earlier and not earlier.error:
                self.earlier_seconds[job.folder] = earlier.seconds
            if before.get(job.folder) != digests[job.folder]:
                shutil.rmtree(job.folder, ignore_errors=True)
            Path(job.folder).mkdir(parents=True, exist_ok=True)
        write_atomically(self._unfinished_path, json.dumps(digests, indent=1) + "\n")
        done, to_do = [], []
        for job in self.jobs:
            run = load(job.folder)
            if run and run.digest == job.run.digest and run.error is None:
                done.append(run)
            else:
                # A killed run must not leave the metrics of an earlier run beside its own notebook.
                Path(job.folder, "metrics.json").unlink(missing_ok=True)
                to_do.append(job)
        return done, to_do

    def _unfinished_digests(self) -> dict[str, str]:
        """Return, by folder, the digests that this command's runs had when it was killed."""
        try:
            return json.loads(self._unfinished_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def lock(self) -> AbstractContextManager[None]:
        """Return a context manager that keeps other commands out of the same folders."""
        return file_lock.exclusive_lock(
            self.runs_folder,
            f"another course run is in progress in {self.runs_folder.parents[1]}: wait until it"
            " has finished, or run all notebooks with one command and --workers.",
        )

    def position(self, run: NotebookRun) -> int:
        """Return the position of a run among those of the command."""
        return [job.run.notebook for job in self.jobs].index(run.notebook)

    def finish(self) -> None:
        """Record that all runs are done, so that the same command starts with empty folders."""
        self._unfinished_path.unlink(missing_ok=True)
