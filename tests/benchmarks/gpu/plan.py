"""The plan of a call: parts with named measurements, in order of importance."""

import time
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.gpu.results import Results


class OutOfTimeError(Exception):
    """A measurement was ended because the time was up; it is no failure, and is made later."""


@dataclass
class Measurement:
    """One entry of the plan, which is measured as a whole or not at all."""

    name: str  # unique; a later call recognizes by it what is complete
    seconds: float  # estimated, on an H100
    subject: Any = None  # what the part needs to measure it


class Part:
    """Measurements of one kind, which share a preparation, such as compiling."""

    preparation_seconds = 0.0  # estimated

    def __init__(self, measurements: list[Measurement]) -> None:
        self.measurements = measurements

    def prepare(self, chosen: list[Measurement]) -> None:
        """Do what all of the chosen measurements need; may correct their estimated seconds."""

    def measure(self, measurement: Measurement, deadline: float) -> list[dict[str, Any]]:
        """Return the rows of a measurement, or raise OutOfTimeError after the deadline."""
        raise NotImplementedError


START = time.perf_counter()


def log(text: str) -> None:
    """Print a line with the time since the start."""
    print(f"{time.perf_counter() - START:6.1f} s  {text}", flush=True)


def measure_plan(
    parts: list[Part], results: Results, deadline: float
) -> tuple[list[str], list[str]]:
    """Measure what is not complete yet and can end in time.

    Returns the names of the measurements that failed and of those for which no time was left.
    """
    failed: list[str] = []
    left_out: list[Measurement] = []
    for part in parts:
        waiting = [each for each in part.measurements if not results.is_complete(each.name)]
        # If the measurements take less time than estimated, others fit later.
        while chosen := _fitting(part, waiting, deadline):
            waiting = [each for each in waiting if each not in chosen]
            try:
                part.prepare(chosen)
            except Exception as error:
                for each in chosen:
                    results.fail(each.name, 0, error)
                failed += [each.name for each in chosen]
                log(f"failed: preparing {chosen[0].name}: {type(error).__name__}: {error}")
                continue
            for each in chosen:
                # The preparation may have taken longer, or have corrected the estimate.
                if time.perf_counter() + each.seconds > deadline:
                    left_out.append(each)
                    continue
                try:
                    if not _measure(part, each, results, deadline):
                        failed.append(each.name)
                except OutOfTimeError as error:
                    log(f"{each.name}: {error}")
                    left_out.append(each)
        left_out += waiting
    for each in left_out:
        log(f"no time left for {each.name}, about {each.seconds:.0f} s")
    return failed, [each.name for each in left_out]


def _fitting(part: Part, waiting: list[Measurement], deadline: float) -> list[Measurement]:
    """Return the measurements, in order, that fit into the time left after a preparation."""
    chosen, end = [], time.perf_counter() + part.preparation_seconds
    for each in waiting:
        if end + each.seconds <= deadline:
            chosen.append(each)
            end += each.seconds
    return chosen


def _measure(part: Part, measurement: Measurement, results: Results, deadline: float) -> bool:
    """Measure and write the results; return whether it worked."""
    start = time.perf_counter()
    try:
        rows = part.measure(measurement, deadline)
    except OutOfTimeError:
        raise
    except Exception as error:  # it must not keep the other measurements from being made
        results.fail(measurement.name, time.perf_counter() - start, error)
        log(f"failed: {measurement.name}: {type(error).__name__}: {error}")
        return False
    results.add(measurement.name, time.perf_counter() - start, rows)
    log(f"{measurement.name}: {time.perf_counter() - start:.1f} s")
    return True
