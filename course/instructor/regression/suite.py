"""A regression: the runs of one command, compared with their bands."""

import time
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from course.instructor.regression import report
from course.instructor.regression.bands import BANDS_PATH, Bands
from course.instructor.regression.notebook_run import NotebookRun
from course.instructor.regression.plan import current_digest
from course.instructor.regression.run_store import load_all
from course.instructor.regression.parallel_runs import worker_count, run_in_parallel
from course.instructor.regression.seed_variation import variation_lines
from course.instructor.sandbox.executor import open_executor


@dataclass(frozen=True)
class RunOptions:
    """On what notebooks are run.

    Attributes
    ----------
    workers : int or None
        Runs side by side; None means one a GPU, or one a core.
    scheduler : str or None
        Address of a Dask scheduler.
    share_gpu : int
        How many runs may have the same GPU.
    """

    workers: int | None = None
    scheduler: str | None = None
    share_gpu: int = 1


@dataclass(frozen=True)
class CheckedRun:
    """A run and what became of its metrics.

    Attributes
    ----------
    run : NotebookRun
    verdicts : list of Verdict
    measured : dict
        Where and when its bands were measured; empty where it has none.
    sources : dict
        What the course's source documents say, by metric.
    """

    run: NotebookRun
    verdicts: list = field(default_factory=list)
    measured: dict = field(default_factory=dict)
    sources: dict = field(default_factory=dict)

    @property
    def problems(self):
        """What makes the run fail, a sentence each."""
        if self.run.error:
            return [self.run.error]
        return [f"{each.reason}." for each in self.verdicts if each.failed]

    @property
    def failed(self):
        """Whether it failed."""
        return bool(self.problems)

    @property
    def verdict(self):
        """Pass or fail in a few words."""
        if self.run.error:
            return "failed"
        inside = sum(each.state == "inside" for each in self.verdicts)
        outside = sum(each.failed for each in self.verdicts)
        if outside:
            return f"failed: {outside} of {inside + outside} outside their bands"
        return f"passed, {inside} inside their bands" if inside else "passed, no bands yet"


class RegressionSuite:
    """The runs of one command.

    Parameters
    ----------
    root : Path
        The course directory.
    plan : Plan
    how : How
    """

    def __init__(self, root, plan, how):
        self.root, self.plan, self.how = Path(root), plan, how
        self.bands = Bands(self.root / BANDS_PATH)
        self.done = []

    def run(self):
        """Run what is to be done and yield a `Checked` for each; what a killed run did comes first.

        Yields
        ------
        Checked
        """
        start = time.perf_counter()
        how = self.how
        workers = how.workers if how.scheduler else worker_count(how.workers, how.share_gpu)
        with self.plan.alone(), open_executor(workers, how.scheduler) as (executor, count):
            jobs = self.plan.begin()
            for run in self.plan.done(jobs):
                yield self._check(run)
            seconds = {job.run["assignment"]: self._seconds_of(job) for job in jobs}
            is_far = how.scheduler is not None
            for run in run_in_parallel(jobs, executor, count, is_far, how.share_gpu, seconds):
                yield self._check(run)
        self._seconds = time.perf_counter() - start
        self.done.sort(key=lambda checked: self.plan.place(checked.run))

    def finish(self):
        """Note that all is done: until then, the same command goes on with what is there."""
        self.plan.finish()

    @property
    def failed(self):
        """Whether anything failed."""
        return any(checked.failed for checked in self.done)

    def problems(self):
        """Return what failed, as pairs of an assignment and a sentence."""
        found = [(each.run, problem) for each in self.done for problem in each.problems]
        seeded = len(self.plan.seeds) > 1
        return [
            (f"{run.assignment}, seed {run.seed}" if seeded else run.assignment, problem)
            for run, problem in found
        ]

    def spreads(self):
        """Return what several seeds of a notebook measured: a title and lines for each notebook."""
        found = []
        for name, runs in self._by_assignment():
            if len(runs) > 1:
                title = f"{name}  {runs[0].setting}, {len(runs)} seeds, mean ± standard deviation"
                found.append((title, variation_lines(runs)))
        return found

    def update_bands(self, command):
        """Take what was measured as the new bands, of each notebook whose runs all went to the end.

        Returns
        -------
        list of (str, list of str)
            For each notebook a title, and what has changed.
        """
        found = []
        for name, runs in self._by_assignment():
            if any(run.error for run in runs):
                found.append((f"{name}  bands stay as they were: a run failed", []))
                continue
            changes = self.bands.update(runs, command)
            title = f"{name}  bands measured anew with {len(runs)} seeds"
            found.append((title, changes or ["nothing has changed"]))
        self.done = [check_run(checked.run, self.bands) for checked in self.done]
        return found

    def report(self):
        """Write the report and return the page's path."""
        folder = self.root / "build" / "report"
        report.write_junit(folder / "junit.xml", self.done)
        return report.write(folder, [], load_checked_runs(self.root))

    def summary(self):
        """Return the whole in one line."""
        passed = sum(not checked.failed for checked in self.done)
        return f"{passed} of {len(self.done)} passed in {self._seconds:.1f} s"

    def _seconds_of(self, job):
        """Return how long a job's assignment took when its bands were measured, 0 if unknown."""
        return self.bands.of(NotebookRun(**job.run)).get("measured", {}).get("seconds", 0)

    def _check(self, run):
        self.done.append(check_run(run, self.bands))
        return self.done[-1]

    def _by_assignment(self):
        runs = [checked.run for checked in self.done]
        for name, group in groupby(runs, key=lambda run: run.assignment):
            yield name, list(group)


def check_run(run, bands):
    """Return a run as a `Checked`."""
    table = bands.of(run)
    verdicts = [] if run.error else bands.judge(run)
    return CheckedRun(run, verdicts, table.get("measured", {}), table.get("sources", {}))


def load_checked_runs(root):
    """Return the kept runs of a course directory that are of its present state, in course order.

    Parameters
    ----------
    root : Path

    Returns
    -------
    list of Checked
    """
    bands = Bands(Path(root) / BANDS_PATH)
    runs = [
        run for run in load_all(Path(root, "build", "runs")) if run.digest == current_digest(root, run)
    ]
    runs.sort(key=lambda run: (run.assignment, run.setting, run.backend, run.seed))
    return [check_run(run, bands) for run in runs]
