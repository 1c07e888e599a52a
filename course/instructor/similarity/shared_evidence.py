"""Evidence of long trainings that is the same: weights and numbers, read as data."""

import json
from collections import defaultdict
from pathlib import Path

from course import evidence
from course.evidence import format
from course.experiments.store import fingerprint
from course.instructor.similarity.explanation import listed

STATED = ("profile", "seed", "backend", "device")


def same(root, name, students):
    """Tell whose evidence is the same.

    Parameters
    ----------
    root : Path
        The course directory.
    name : str
        The assignment.
    students : list of str

    Returns
    -------
    list of str
        A sentence for each group.
    """
    weights, numbers, records = defaultdict(list), defaultdict(lambda: defaultdict(list)), {}
    for student in students:
        folder = Path(root, "submitted", student, name, format.FOLDER)
        if not folder.is_dir():
            continue
        # The weights of one student take megabytes: only what tells them from others is kept.
        found = evidence.read(folder)
        records[student] = found["metrics"]
        for experiment, arrays in found["weights"].items():
            weights[experiment, evidence.fingerprint_of_weights(arrays)].append(student)
        for experiment, record in found["metrics"].items():
            if record.get("history"):
                curves = fingerprint(json.dumps(record["history"], sort_keys=True))
                numbers[experiment][curves].append(student)
    told = [
        f"{', '.join(group)}: the same weights of {format.shown(experiment)}"
        f" ({_circumstances(records, group, experiment)})"
        for (experiment, _), group in weights.items()
        if len(group) > 1
    ]
    experiments = defaultdict(list)
    for experiment, groups in numbers.items():
        for group in groups.values():
            if len(group) > 1:
                experiments[tuple(group)].append(experiment)
    for group, names in experiments.items():
        which = listed([format.shown(each) for each in names])
        told.append(
            f"{', '.join(group)}: the same curves of {which}"
            f" ({_circumstances(records, group, names[0])})"
        )
    return told


def _circumstances(records, group, experiment):
    """Return what the students state about a training that is the same."""
    theirs = [records[student].get(experiment, {}) for student in group]
    if len({repr(each.get("seconds")) for each in theirs}) == 1:
        return "and the seconds that it took, which no two trainings share: the same files"
    stated = [", ".join(format.shown(each.get(key)) for key in STATED) for each in theirs]
    if len(set(stated)) == 1:
        return f"all state {stated[0]}: honest students may get the same then"
    return f"though they state {' and '.join(dict.fromkeys(stated))}"
