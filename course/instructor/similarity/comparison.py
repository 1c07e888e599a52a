"""All pairs of a class, and the most remarkable of them."""

from dataclasses import dataclass, field

import numpy as np

from course.instructor.similarity import rarity_scoring
from course.instructor.similarity import submissions
from course.instructor.similarity import tokenization as pieces

POINTS = {
    "odd": rarity_scoring.odd_points,
    "names": rarity_scoring.name_points,
    "comments": rarity_scoring.passage_points,
    "words": rarity_scoring.passage_points,
}
LEAST = 3.0  # points of a pair that is listed
TOGETHER = 0.6  # of a pair's points, that a third one shares with both to be listed with them


@dataclass
class Class:
    """A class compared.

    Attributes
    ----------
    works : list of Work
        One of those whose cells are all the same.
    given : set of str
        The lines of the release.
    places : dict of (str, str) to Place
        By place and view.
    tables : dict of (str, str) to ndarray
        Points of all pairs, by place and view.
    alike : dict of str to ndarray
        How alike the code in a place is, from 0 to 1.
    excess : dict of str to ndarray
        Points of all pairs beyond what is ordinary, by view.
    """

    works: list
    given: set
    places: dict = field(default_factory=dict)
    tables: dict = field(default_factory=dict)
    alike: dict = field(default_factory=dict)
    excess: dict = field(default_factory=dict)

    @property
    def points(self):
        """Points of all pairs."""
        count = len(self.works)
        return sum(self.excess.values(), np.zeros((count, count)))


def compare(handout, works):
    """Compare each with each.

    Parameters
    ----------
    handout : Handout
    works : list of Work

    Returns
    -------
    Class
    """
    lines = "\n".join([*handout.code, *handout.texts]).split("\n")
    found, count = Class(works, {line.strip() for line in lines}), len(works)
    written = {}
    for number, work in enumerate(works):
        for place, part in work.parts.items():
            for view, sequences in looked_at(part).items():
                if sequences:
                    written.setdefault((place, view), {})[number] = sequences
    released = looked_at(submissions.Part(True, handout.code)) | {
        "words": looked_at(submissions.Part(False, handout.texts))["words"]
    }
    totals = {}
    for (name, view), sequences in written.items():
        texts = [handout.solutions[name]] if name in handout.solutions else []
        solution = looked_at(submissions.Part(True, texts)).get(view, [])
        # An odd piece is odd where it stands, even if the release has it somewhere else.
        known = () if view == "odd" and name in handout.solutions else released.get(view, ())
        place = rarity_scoring.Place(view, sequences, known, solution)
        if view == "code":
            points, found.alike[name] = rarity_scoring.code_points(place, count)
        else:
            points = POINTS[view](place, count)
        found.places[name, view], found.tables[name, view] = place, points
        join = np.maximum if view == "odd" else np.add
        totals[view] = join(totals[view], points) if view in totals else points
    found.excess = {view: rarity_scoring.unusual(total) for view, total in totals.items()}
    return found


def looked_at(part):
    """Return what a part consists of: sequences of pieces, by view."""
    if not part.is_code:
        return {"words": [pieces.words(text) for text in part.texts]}
    found = {"code": [], "names": [], "comments": []}
    for text in part.texts:
        tokens, names, comments = pieces.code(text)
        found["code"].append(tokens)
        found["names"] += [[name] for name in names]
        found["comments"] += comments
    return found | {"odd": found["code"]}


def groups(points, most):
    """Return the most remarkable groups: lists of students, by number, the first two most alike."""
    points = np.triu(points, 1)
    order = np.argsort(-points, axis=None, kind="stable")
    found, taken = [], set()
    for one, other in zip(*np.unravel_index(order, points.shape), strict=True):
        if points[one, other] < LEAST or len(found) == most:
            break
        if (one, other) in taken:
            continue
        enough = TOGETHER * points[one, other]
        group = [int(one), int(other)]
        for third in range(len(points)):
            shared = [points[min(each, third), max(each, third)] for each in group]
            if third not in group and min(shared) >= enough:
                group.append(third)
        taken |= {(min(a, b), max(a, b)) for a in group for b in group}
        found.append(group)
    return found
