"""The runs of one `course run` command, their comparison with the bands, and the report."""

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, groupby
from pathlib import Path

from course.instructor.regression import reference_outputs, report
from course.instructor.regression.bands import BANDS_PATH, Bands
from course.instructor.regression.checked_run import (
    CheckedRun,
    check_run,
    judge_seeds_together,
    load_checked_runs,
    without_claims,
)
from course.instructor.regression.junit import write_junit
from course.instructor.regression.notebook_execution import execute
from course.instructor.regression.parallel_runs import run_in_parallel, worker_count
from course.instructor.regression.plan import Plan
from course.instructor.regression.run_records import NotebookRun, RunJob
from course.instructor.regression.seed_variation import variation_lines
from course.instructor.sandbox.worker_pool import available_cores, open_executor

# Limits the instructions of oneDNN and XLA to those of processors since about 2013.
OLDER_PROCESSOR = (("DNNL_MAX_CPU_ISA", "AVX2"), ("XLA_FLAGS", "--xla_cpu_max_isa=AVX2"))


class RegressionSuite:
    """The runs of one command and their results."""

    def __init__(self, root: Path, plan: Plan) -> None:
        """Read the bands of the course directory."""
        self.root, self.plan = root, plan
        self.bands = Bands(self.root / BANDS_PATH)
        self.checked_runs: list[CheckedRun] = []
        self._seconds = 0.0

    def run(
        self, workers: int | None, scheduler: str | None, runs_per_gpu: int
    ) -> Iterator[CheckedRun]:
        """Execute the plan and yield each run, starting with those that a killed command finished.

        If `workers` is None, there is one worker per GPU or, without GPUs, one per core;
        `scheduler` is the address of a Dask scheduler.
        """
        start = time.perf_counter()
        is_remote = scheduler is not None
        if not is_remote:
            workers = worker_count(workers, runs_per_gpu)
        with self.plan.lock(), open_executor(workers, scheduler) as (executor, count):
            done, jobs = self.plan.prepare()
            # The longest runs start first, so that none of them runs alone at the end.
            jobs.sort(key=self._expected_seconds, reverse=True)
            for run in chain(done, run_in_parallel(jobs, executor, count, is_remote, runs_per_gpu)):
                checked = check_run(run, self.bands, self.root)
                self.checked_runs.append(checked)
                # Several seeds are judged together, once all of them have run.
                yield checked if len(self.plan.seeds) == 1 else without_claims(checked)
        self._seconds = time.perf_counter() - start
        self.checked_runs.sort(key=lambda checked: self.plan.position(checked.run))
        self.checked_runs = judge_seeds_together(self.checked_runs, self.bands)

    def _expected_seconds(self, job: RunJob) -> float:
        """Return the seconds of the job's earlier run or, without one, of those for its bands."""
        measured = self.bands.of(job.run).get("measured", {}).get("seconds", 0.0)
        return self.plan.earlier_seconds.get(job.folder, measured)

    def problems(self) -> list[tuple[str, str]]:
        """Return (assignment, sentence) for each failure."""
        found = []
        for checked in self.checked_runs:
            seed = f", seed {checked.run.seed}" if len(self.plan.seeds) > 1 else ""
            found += [(checked.run.assignment + seed, problem) for problem in checked.problems]
        return found

    def seed_variation(self) -> list[tuple[str, list[str]]]:
        """Return a title and lines for each notebook that was run with several seeds."""
        found = []
        for name, runs in self._by_assignment():
            if len(runs) > 1:
                title = f"{name}  {runs[0].setting}, {len(runs)} seeds, mean ± standard deviation"
                found.append((title, variation_lines(runs)))
        return found

    def update_bands(self, command: str) -> list[tuple[str, list[str]]]:
        """Replace the bands of each notebook whose runs passed; return titles and changes."""
        found: list[tuple[str, list[str]]] = []
        for name, runs in self._by_assignment():
            if any(run.error for run in runs):
                found.append((f"{name}  bands unchanged: a run failed", []))
                continue
            changes = self.bands.update(runs, command)
            title = f"{name}  bands measured with {len(runs)} seeds"
            found.append((title, changes or ["nothing has changed"]))
        self._check_again()
        return found

    def update_references(self, command: str) -> list[tuple[str, list[str]]]:
        """Replace the reference of each notebook that runs to its end; return titles and changes.

        Each notebook runs again with all threads, and with one thread and all threads on an older
        instruction set, so that the reference omits values that depend on chance or the machine.
        """
        found: list[tuple[str, list[str]]] = []
        for checked, job in zip(self.checked_runs, self.plan.jobs, strict=True):
            run = checked.run
            if run.error:
                found.append((f"{run.assignment}  reference unchanged: the run failed", []))
                continue
            executed = Path(run.notebook).read_text(encoding="utf-8")
            shown = [reference_outputs.shown_by(run, executed)]
            for threads, variables in (
                (available_cores(), ()),
                (1, OLDER_PROCESSOR),
                (available_cores(), OLDER_PROCESSOR),
            ):
                varied = replace(job, folder="", threads=threads, variables=variables)
                again, text = execute(varied)
                shown.append(reference_outputs.shown_by(again, text))
            before = reference_outputs.load(self.root, run)
            merged = reference_outputs.merge(shown)
            reference_outputs.save(self.root, run, merged, command)
            changes = reference_outputs.changed_parts(before, merged)
            title = f"{run.assignment}  reference made from {len(shown)} runs"
            found.append((title, changes or ["nothing has changed"]))
        self._check_again()
        return found

    def accept_differences(self, command: str) -> list[tuple[str, list[str]]]:
        """Remove from the references what these runs show differently; return titles and changes.

        For runs with other versions of the packages, whose numbers are as good.
        """
        found: list[tuple[str, list[str]]] = []
        for run in (checked.run for checked in self.checked_runs):
            before = reference_outputs.load(self.root, run)
            if run.error or before is None:
                reason = "the run failed" if run.error else "there is none"
                found.append((f"{run.assignment}  reference unchanged: {reason}", []))
                continue
            executed = Path(run.notebook).read_text(encoding="utf-8")
            shown = reference_outputs.shown_by(run, executed)
            changes = reference_outputs.changed_parts(before, shown)
            if changes:
                merged = reference_outputs.merge([before, shown])
                reference_outputs.save(self.root, run, merged, command, is_revision=True)
            title = f"{run.assignment}  reference without what differs"
            found.append((title, changes or ["nothing has changed"]))
        self._check_again()
        return found

    def _check_again(self) -> None:
        """Compare the runs with the bands and references that have just been replaced."""
        again = [check_run(checked.run, self.bands, self.root) for checked in self.checked_runs]
        self.checked_runs = judge_seeds_together(again, self.bands)

    def report(self) -> Path:
        """Write the report and return the path of its page."""
        folder = self.root / "build" / "report"
        write_junit(folder / "junit.xml", self.checked_runs)
        return report.write(folder, [], load_checked_runs(self.root))

    def summary(self) -> str:
        """Return the overall result in one line."""
        passed = sum(not checked.failed for checked in self.checked_runs)
        return f"{passed} of {len(self.checked_runs)} passed in {self._seconds:.1f} s"

    def _by_assignment(self) -> Iterator[tuple[str, list[NotebookRun]]]:
        """Yield the name and the runs of each assignment."""
        runs = [checked.run for checked in self.checked_runs]
        for name, group in groupby(runs, key=lambda run: run.assignment):
            yield name, list(group)
