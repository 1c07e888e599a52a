"""Runs with the verdicts on their metrics, including runs that earlier commands saved."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from course.instructor.regression import reference_outputs
from course.instructor.regression.bands import BANDS_PATH, Bands
from course.instructor.regression.input_digest import current_digest
from course.instructor.regression.run_records import NotebookRun
from course.instructor.regression.run_store import load_all
from course.instructor.regression.verdicts import CLAIM, Verdict


@dataclass(frozen=True)
class CheckedRun:
    """A run and the verdicts on its metrics."""

    run: NotebookRun
    verdicts: list[Verdict] = field(default_factory=list)
    measured: dict[str, Any] = field(default_factory=dict)  # where and when its bands were measured
    sources: dict[str, str] = field(default_factory=dict)  # what the source documents say

    @property
    def problems(self) -> list[str]:
        """The reasons why the run fails, one sentence each."""
        if self.run.error:
            return [self.run.error]
        return [f"{each.reason}." for each in self.verdicts if each.failed]

    @property
    def failed(self) -> bool:
        """True if the notebook failed, or a metric, claim, or reference check failed."""
        return bool(self.problems)

    @property
    def summary(self) -> str:
        """A summary of the comparisons with bands, references, and claims, in a few words."""
        if self.run.error:
            return "failed"
        inside = sum(each.state == "inside" for each in self.verdicts)
        outside = sum(each.failed for each in self.verdicts)
        if outside:
            return f"failed: {outside} of {inside + outside} comparisons"
        return f"passed {inside} comparisons" if inside else "passed, nothing to compare with yet"


def check_run(run: NotebookRun, bands: Bands, root: Path) -> CheckedRun:
    """Return a run with the verdicts on its metrics and on the outputs of its executed notebook."""
    table = bands.of(run)
    verdicts = [] if run.error else bands.judge(run)
    if not run.error and run.notebook and reference_outputs.is_compared(run):
        verdicts += reference_outputs.judge(root, run)
    return CheckedRun(run, verdicts, table.get("measured", {}), table.get("sources", {}))


def judge_seeds_together(checked_runs: list[CheckedRun], bands: Bands) -> list[CheckedRun]:
    """Judge the claims of runs that differ only in their seed on the mean of these runs.

    The first run of each group has the verdicts on its claims; the others have none.
    """
    groups: dict[tuple[str, str, str], list[NotebookRun]] = defaultdict(list)
    for each in checked_runs:
        if not each.run.error:
            groups[_kind(each.run)].append(each.run)
    found = []
    for each in checked_runs:
        group = groups[_kind(each.run)]
        if not each.run.error and len(group) > 1:
            claims = bands.judge_claims(group) if each.run is group[0] else []
            each = replace(each, verdicts=without_claims(each).verdicts + claims)
        found.append(each)
    return found


def without_claims(checked: CheckedRun) -> CheckedRun:
    """Return a run without the verdicts on its claims."""
    others = [verdict for verdict in checked.verdicts if verdict.about != CLAIM]
    return replace(checked, verdicts=others)


def _kind(run: NotebookRun) -> tuple[str, str, str]:
    """Return a key that is equal for runs that differ only in their seed."""
    return run.assignment, run.setting, run.backend


def load_checked_runs(root: Path) -> list[CheckedRun]:
    """Return the saved runs that are valid for the current notebooks and code, in course order."""
    bands = Bands(Path(root) / BANDS_PATH)
    saved = load_all(Path(root, "build", "runs"))
    runs = [run for run in saved if run.digest == current_digest(root, run)]
    runs.sort(key=lambda run: (run.assignment, run.setting, run.backend, run.seed))
    return judge_seeds_together([check_run(run, bands, root) for run in runs], bands)
