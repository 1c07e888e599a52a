"""What a command is to run, and what of it a killed one has already done."""

import json
import os
import shutil
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path

from course.errors import CourseError
from course.experiments.store import fingerprint
from course.files import write_atomically
from course.instructor import file_lock
from course.instructor.regression.provenance import package_versions
from course.instructor.regression.notebook_run import Job, NotebookRun, parameter_names
from course.instructor.regression.run_store import load
from course.profiles import check_profile

PACKAGE = Path(__file__).parents[2]


class Plan:
    """The runs of one command, in the order in which they are asked for.

    Parameters
    ----------
    kept : Path
        Where runs are kept, `build/runs`.
    sources : dict of str to Path
        Assignment to its source notebook.
    profile : str
    seeds : list of int
    given : dict
        Further parameters; a notebook gets those that it has.

    Raises
    ------
    CourseError
        If no notebook has one of the parameters, or there is no such profile.
    """

    def __init__(self, kept, sources, profile, seeds, given):
        check_profile(profile)
        backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        self.kept = Path(kept).resolve()
        self.seeds = seeds
        self.jobs = []
        given = dict(sorted(given.items()))
        known = {name: parameter_names(source) for name, source in sources.items()}
        for parameter in given:
            if not any(parameter in names for names in known.values()):
                all_names = dict.fromkeys(name for names in known.values() for name in names)
                raise CourseError(
                    f"no notebook that is to run has a parameter {parameter!r}: choose of"
                    f" {', '.join(all_names)}."
                )
        code = _digest_of_code()
        for name, source in sources.items():
            others = {each: given[each] for each in given if each in known[name]}
            text = source.read_text(encoding="utf-8")
            for seed in seeds:
                run = NotebookRun(name, profile, backend, seed, others)
                folder = self.kept / name / run.folder_name
                run.notebook = str(folder / source.name)
                run.versions = package_versions(backend)
                run.digest = _digest(run, text, code)
                self.jobs.append(Job(asdict(run), str(source.resolve()), text, str(folder)))
        what = fingerprint(sorted(job.folder for job in self.jobs))
        self._mark = self.kept / "unfinished" / f"{what}.json"

    def begin(self):
        """Return the jobs that are to be done.

        A command that was killed goes on: what has passed since it began is done, and what others
        had trained by then they find again. But not where notebook or course have changed since:
        what they trained is not what would be trained now. Any other command begins anew, without
        a trace of earlier ones in its folders.
        """
        digests = {job.folder: job.run["digest"] for job in self.jobs}
        before = self._read_mark()
        for job in self.jobs:
            if before.get(job.folder) != digests[job.folder]:
                shutil.rmtree(job.folder, ignore_errors=True)
            Path(job.folder).mkdir(parents=True, exist_ok=True)
        write_atomically(self._mark, json.dumps(digests, indent=1) + "\n")
        to_do = [job for job in self.jobs if not self._has_passed(job)]
        for job in to_do:
            # A run that is killed must not leave the metrics of another beside its own notebook.
            Path(job.folder, "metrics.json").unlink(missing_ok=True)
        return to_do

    def _read_mark(self):
        """Return the digests that the runs of a command which was killed had, by folder."""
        try:
            return json.loads(self._mark.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def alone(self):
        """Keep other commands from the same folders; a killed one keeps nobody away."""
        words = (
            f"another course run is under way in {self.kept.parents[1]}: wait until it has ended,"
            " or give it more notebooks and --workers."
        )
        return file_lock.exclusive_lock(self.kept, words)

    def done(self, jobs):
        """Return the runs that need not be done, which are those without a job."""
        to_do = {job.folder for job in jobs}
        return [load(job.folder) for job in self.jobs if job.folder not in to_do]

    def place(self, run):
        """Return where a run stands among those of the command."""
        return [job.run["notebook"] for job in self.jobs].index(run.notebook)

    def finish(self):
        """Note that everything was done: the next such command begins anew."""
        self._mark.unlink(missing_ok=True)

    def _has_passed(self, job):
        run = load(job.folder)
        return bool(run and run.digest == job.run["digest"] and run.error is None)


def current_digest(root, run):
    """Return the digest that a run would have in the present state of a course directory."""
    sources = list(Path(root, "source", run.assignment).glob("*.ipynb"))
    if len(sources) != 1:
        return None
    now = replace(run, versions=package_versions(run.backend))
    return _digest(now, sources[0].read_text(encoding="utf-8"), _digest_of_code())


def _digest(run, text, code):
    parameters = run.profile, run.seed, sorted(run.others.items())
    return fingerprint(text, code, run.backend, parameters, sorted(run.versions.items()))


@lru_cache
def _digest_of_code():
    """Return a text that tells whether the code that notebooks use has changed."""
    code = sorted(PACKAGE.rglob("*.py"))
    # What compares and shows does not change what is measured.
    kept = [path for path in code if path.parent.name not in ("grading", "regression", "doctor")]
    return fingerprint(*(path.read_text(encoding="utf-8") for path in kept))
