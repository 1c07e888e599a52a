"""The bands file: the range of each metric, as measured with several seeds.

`tests/bands.toml` has one table per assignment and setting, such as `[02-mnist.smoke]`. Each table
records where and when its bands were measured (`measured`), the values that never change (`exact`),
and the bands themselves (`bands`). Two entries are written by hand and are not changed by a
measurement: `claims` (comparisons of metrics that must hold, because a lesson states them) and
`sources` (the statements of the course's source documents about a metric).
"""

import re
import statistics
import tomllib
from pathlib import Path
from typing import Any

from course.errors import CourseError
from course.files import write_atomically
from course.instructor.regression import band_measurement, verdicts
from course.instructor.regression.claims import mean_metrics, parse, seeds_needed
from course.instructor.regression.run_records import NotebookRun
from course.instructor.regression.verdicts import Verdict

BANDS_PATH = Path("tests", "bands.toml")
# A line that is directly followed by the header of a table.
_BEFORE_HEADER = re.compile(r"^([^#\n].*\n)(?=\[)", re.MULTILINE)


class Bands:
    """The bands of a course directory; if the file is missing, there are none."""

    def __init__(self, path: Path) -> None:
        """Read the file; raise CourseError if it is damaged or contains an invalid claim."""
        self.path = path
        self._tables = self._read()

    def _read(self) -> dict[str, Any]:
        """Return the tables in the file, by assignment and setting."""
        try:
            tables = tomllib.loads(self.path.read_text(encoding="utf-8"))
            for table in (each for settings in tables.values() for each in settings.values()):
                for claim in table.get("claims", []):
                    parse(claim)
                for band in table.get("bands", {}).values():
                    verdicts.band_limits(band, kind="")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CourseError(
                f"{self.path} cannot be read ({error}): correct it, or restore it from git."
            ) from None
        return tables

    def of(self, run: NotebookRun) -> dict[str, Any]:
        """Return the table for a run's assignment and setting, or {} if there is none."""
        return self._tables.get(run.assignment, {}).get(run.setting, {})

    def judge(self, run: NotebookRun) -> list[Verdict]:
        """Return the verdicts on a run's values, device, learning curves, and claims."""
        table = self.of(run)
        bands = table.get("exact", {}) | table.get("bands", {})
        claims = self.judge_claims([run])
        run = verdicts.with_time_ratios(run)
        found = []
        for name in dict.fromkeys([*run.metrics, *bands]):
            reason = verdicts.reason_not_compared(name, run, table.get("measured", {}))
            if reason and name in run.metrics:
                value = run.metrics[name]
                single = value if isinstance(value, float) else None
                found.append(Verdict(name, "not compared", single, reason=reason))
            elif not reason:
                found += verdicts.judge_metric(name, run, bands.get(name))
        if run.profile == "gpu" and run.device == "CPU":
            reason = "the gpu profile ran without a GPU: run course doctor gpu to find the cause"
            found.append(Verdict("device", "outside", reason=reason))
        for name, history in run.curves.items():
            if any(value is None for values in history.values() for value in values):
                reason = f"the learning curves of {name} contain a value that is not finite"
                found.append(Verdict(f"curves of {name}", "not finite", reason=reason))
        return found + claims

    def judge_claims(self, runs: list[NotebookRun]) -> list[Verdict]:
        """Return the verdicts on the claims, for runs that differ only in their seed.

        A claim is judged on the mean of all runs if there are as many as it needs. In the smoke
        profile, in which a run with the same seed always has the same result, one run is enough.
        """
        table = self.of(runs[0])
        bands = table.get("exact", {}) | table.get("bands", {})
        metrics = mean_metrics([run.metrics for run in runs]) if len(runs) > 1 else runs[0].metrics
        # The deviation of a metric that was recorded later than the bands is unknown.
        unmeasured = table.get("measured", {}).get("seeds", 1)
        is_smoke = runs[0].profile == "smoke"
        return [
            verdicts.judge_claim(
                claim, metrics, len(runs), 1 if is_smoke else seeds_needed(claim, bands, unmeasured)
            )
            for claim in table.get("claims", [])
        ]

    def update(self, runs: list[NotebookRun], command: str) -> list[str]:
        """Replace a setting's bands with bands from runs of one seed each, and write the file.

        All runs must have passed; `command` is the command that started them. Returns the changes,
        one line each, including every band that becomes wider. Raises CourseError if
        `measure_bands` does.
        """
        first = runs[0]
        # The file may have been edited by hand during the hours that a measurement takes.
        self._tables = self._read()
        before = self.of(first)
        exact, bands = band_measurement.measure_bands(runs)
        measured = {
            "date": max(run.finished for run in runs)[:10],
            "seeds": len(runs),
            "k": band_measurement.deviations_per_band(len(runs)),
            "backend": first.backend,
            "device": first.device or "CPU",
            "seconds": round(statistics.mean(run.seconds for run in runs)),
            "data": first.data,
            "machine": first.machine,
            "versions": ", ".join(f"{name} {version}" for name, version in first.versions.items()),
            "command": command,
        }
        self._write(first, {"measured": measured, "exact": exact, "bands": bands})
        self._tables = self._read()
        return band_measurement.band_changes(before, self.of(first), first)

    def _write(self, run: NotebookRun, parts: dict[str, dict[str, Any]]) -> None:
        """Replace the parts of one setting's table; nothing else in the file changes."""
        import tomlkit

        text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        document = tomlkit.parse(text)
        section: Any = document
        for name in (run.assignment, run.setting):
            section = section.setdefault(name, tomlkit.table(is_super_table=True))
        for part, values in parts.items():
            table = section.setdefault(part, tomlkit.table())
            for name in [name for name in table if name not in values]:
                del table[name]
            for name, value in values.items():
                table[name] = tomlkit.inline_table() if isinstance(value, dict) else value
                if isinstance(value, dict):
                    table[name].update(value)
        content = _BEFORE_HEADER.sub(r"\1\n", tomlkit.dumps(document))
        tomllib.loads(content)  # an unreadable file must not replace the old one
        write_atomically(self.path, content)
