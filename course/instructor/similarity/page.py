"""The page that shows texts side by side, with what is alike marked."""

from itertools import groupby

from course.files import write_atomically
from course.instructor import pages
from course.instructor.similarity.submissions import Part
from course.instructor.similarity.comparison import looked_at
from course.instructor.similarity.rarity_scoring import STEPS, worth
from course.instructor.similarity.tokenization import grams

KINDS = ("", "shared", "rare")  # of a letter: nobody's in the group but the student's, ...
MOST_COLUMNS = 8  # side by side; more nobody compares


def write(path, **shown):
    """Write the page, whole or not at all.

    Parameters
    ----------
    path : Path
    **shown
        What `page.html` names.
    """
    write_atomically(path, pages.render("similarity.html", **shown))


def side_by_side(found, group):
    """Return what a group wrote where the first two of it have points, marked.

    Parameters
    ----------
    found : Class
    group : list of int

    Returns
    -------
    list of dict
        For each place its name and columns: the student and, for each text, pairs of a kind and the
        letters that are of this kind.
    """
    one, other, *_ = group
    points = {}
    for (name, view), table in found.tables.items():
        if found.excess[view][one, other] > 0:
            points[name] = points.get(name, 0) + table[one, other]
    return [
        {"name": name, "columns": [_column(found, name, each, group) for each in group]}
        for name in sorted(filter(points.get, points), key=lambda name: -points[name])
    ]


def _column(found, name, student, group):
    work = found.works[student]
    part = work.parts.get(name, Part(True))
    partners = set(group) - {student}
    texts = [_marked(found, name, text, part.is_code, partners) for text in part.texts]
    return {"student": work.student, "texts": texts}


def _marked(found, name, text, is_code, partners):
    levels = [0] * len(text)
    for view, sequences in looked_at(Part(is_code, [text])).items():
        place = found.places.get((name, view))
        for sequence in sequences if place else ():
            for last, gram in enumerate(grams(sequence, STEPS[view])):
                if not partners & place.holders.get(gram, set()):
                    continue
                is_rare = worth(place, gram) > 0
                if is_rare or STEPS[view] > 1:  # a single token that many have is no agreement
                    gram_pieces = sequence[max(0, last + 1 - STEPS[view]) : last + 1]
                    _raise(levels, text, gram_pieces, 1 + is_rare)
    start = 0
    for line in text.split("\n"):
        # What was handed out is nobody's, and neither is how far a line stands in.
        until = len(line) if line.strip() in found.given else len(line) - len(line.lstrip())
        levels[start : start + until] = [0] * until
        start += len(line) + 1
        if start <= len(text):
            levels[start - 1] = 0
    runs = groupby(range(len(text)), key=levels.__getitem__)
    return [(KINDS[level], "".join(text[at] for at in places)) for level, places in runs]


def _raise(levels, text, pieces, level):
    """Mark pieces, and what stands between them if that is nothing but space."""
    end = pieces[0].start
    for piece in pieces:
        start = end if not text[end : piece.start].strip() else piece.start
        end = piece.end
        for at in range(start, end):
            levels[at] = max(levels[at], level)
