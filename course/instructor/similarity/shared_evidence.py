"""Training-run evidence that several students share: the same weights or learning curves."""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from course import evidence
from course.evidence import format
from course.experiments.store import fingerprint
from course.instructor.gradebook.group_submissions import GroupSubmissions
from course.instructor.similarity.explanation import list_names

REPORTED = ("profile", "seed", "backend", "device")


def find_shared_evidence(
    root: Path, name: str, students: Sequence[str], shared: GroupSubmissions
) -> list[str]:
    """Return a sentence for each set of students whose evidence is the same.

    The members of one group in `shared` may have the same evidence.
    """
    # Fingerprints by experiment and student; the weights themselves take several megabytes each.
    weights: dict[str, dict[str, str]] = defaultdict(dict)
    curves: dict[str, dict[str, str]] = defaultdict(dict)
    metrics: dict[str, dict[str, Any]] = {}
    for student in students:
        folder = Path(root, "submitted", student, name, format.FOLDER)
        if not folder.is_dir():
            continue
        found = evidence.read(folder)
        metrics[student] = found["metrics"]
        for experiment, arrays in found["weights"].items():
            weights[experiment][student] = evidence.weights_fingerprint(arrays)
        for experiment, record in found["metrics"].items():
            if record.get("history"):
                history = json.dumps(record["history"], sort_keys=True)
                curves[experiment][student] = fingerprint(history)
    sentences = [
        f"{', '.join(group)}: the same weights for {format.printable_text(experiment)}"
        f" ({_explanation(metrics, group, experiment)})"
        for experiment, fingerprints in weights.items()
        for group in evidence.group_by_fingerprint(fingerprints)
        if not shared.is_one_group(group)
    ]
    experiments_by_group = defaultdict(list)
    for experiment, fingerprints in curves.items():
        for group in evidence.group_by_fingerprint(fingerprints):
            if not shared.is_one_group(group):
                experiments_by_group[tuple(group)].append(experiment)
    for shared_by, experiments in experiments_by_group.items():
        names = list_names([format.printable_text(each) for each in experiments])
        sentences.append(
            f"{', '.join(shared_by)}: the same learning curves for {names}"
            f" ({_explanation(metrics, shared_by, experiments[0])})"
        )
    return sentences


def _explanation(
    metrics: dict[str, dict[str, Any]], students: Sequence[str], experiment: str
) -> str:
    """Return the cause of equal training runs that the reported metrics suggest."""
    records = [metrics[student].get(experiment, {}) for student in students]
    if len({repr(each.get("seconds")) for each in records}) == 1:
        return "and the same duration, which no two training runs share: the files are copies"
    reported = [
        ", ".join(format.printable_text(each.get(key)) for key in REPORTED) for each in records
    ]
    if len(set(reported)) == 1:
        return f"all report {reported[0]}: in that case, honest students can get the same result"
    return f"although they report {' and '.join(dict.fromkeys(reported))}"
