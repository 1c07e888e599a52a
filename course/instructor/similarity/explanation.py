"""What two students have in common, in words."""

from difflib import SequenceMatcher

from course.instructor.sandbox.execute import printable
from course.instructor.similarity.submissions import ADDED
from course.instructor.similarity.rarity_scoring import others_like, worth
from course.instructor.similarity.tokenization import grams

MOST_NAMES = 4
MOST_WORDS = 1_000  # that are laid beside each other, which takes their square
LONGEST = 70  # letters of an excerpt
SAME, BUT_NAMES, NEARLY_SAME = "the same", "the same but for names", "nearly the same"


def reasons(found, one, other):
    """Return what is remarkable of two students, a sentence each, the most telling one first.

    Parameters
    ----------
    found : Class
    one, other : int
        Their numbers.

    Returns
    -------
    list of str
    """
    shares = sorted(found.excess, key=lambda view: -found.excess[view][one, other])
    told = [each for each in shares if found.excess[each][one, other] > 0]
    return [sentence for view in told for sentence in TELL[view](found, one, other)]


def remarkable_places(found, view, one, other):
    """Return the places where two have points in a view, those with most of them first."""
    points = {
        name: table[one, other] for (name, kind), table in found.tables.items() if kind == view
    }
    return sorted((name for name in points if points[name] > 0), key=lambda name: -points[name])


def _code(found, one, other):
    kinds, counts = {SAME: [], BUT_NAMES: [], NEARLY_SAME: []}, []
    for name in remarkable_places(found, "code", one, other):
        kinds[_kind(found, name, one, other)].append(name)
        counts.append(
            (others_like(found.alike[name], one, other), found.places[name, "code"].others)
        )
    told = "; ".join(f"that of {listed(names)} {kind}" for kind, names in kinds.items() if names)
    fewest, class_size = min(counts)
    most = max(counts)[0]
    also = str(fewest) if fewest == most else f"{fewest} to {most}"
    return [f"code: {told} ({also} of {class_size} others wrote so)"]


def _kind(found, name, one, other):
    if found.alike[name][one, other] < 1:
        return NEARLY_SAME
    chosen = [_texts(found, name, "names", each) for each in (one, other)]
    return SAME if chosen[0] == chosen[1] else BUT_NAMES


def _words(found, one, other):
    for name in remarkable_places(found, "words", one, other):
        mine, theirs = (_texts(found, name, "words", each)[:MOST_WORDS] for each in (one, other))
        blocks = SequenceMatcher(None, mine, theirs, autojunk=False).get_matching_blocks()
        same = sum(block.size for block in blocks if block.size > 2)
        longest = max(blocks, key=lambda block: block.size)
        words = " ".join(mine[longest.a : longest.a + longest.size])
        where = name if name in ADDED.values() else f"written answer {name}"
        yield (
            f"{where}: {same} of {min(len(mine), len(theirs))} words the same in order,"
            f" such as “{_excerpt(words)}”"
        )


def _odd(found, one, other):
    (name, *_) = remarkable_places(found, "odd", one, other)
    place = found.places[name, "odd"]
    pieces = _both(place, one, other)
    (best, *_) = sorted(pieces, key=lambda gram: (-worth(place, gram), -len(gram[0])))
    yield f"code of {name} with “{_excerpt(best[0])}” in it ({_also(place, best)})"


def _names(found, one, other):
    chosen = []
    for name in remarkable_places(found, "names", one, other)[:MOST_NAMES]:
        place = found.places[name, "names"]
        best = max(_both(place, one, other), key=lambda gram: worth(place, gram))
        chosen.append(f"“{_excerpt(best[0])}” in {name} ({_also(place, best)})")
    yield f"names: {', '.join(chosen)}"


def _comments(found, one, other):
    chosen = []
    for name in remarkable_places(found, "comments", one, other)[:MOST_NAMES]:
        place = found.places[name, "comments"]
        theirs = set(_both(place, one, other))
        lines = [
            " ".join(piece.text for piece in line)
            for line in place.written[one]
            if any(gram in theirs and worth(place, gram) for gram in grams(line, 2))
        ]
        chosen.append(f"“{_excerpt(max(lines, key=len))}” in {name}")
    yield f"comments: {', '.join(chosen)}"


TELL = {"code": _code, "words": _words, "odd": _odd, "names": _names, "comments": _comments}


def _both(place, one, other):
    """Return the grams that both wrote."""
    return [gram for gram, holders in place.holders.items() if {one, other} <= holders]


def _texts(found, name, view, student):
    place = found.places.get((name, view))
    written = place.written.get(student, ()) if place else ()
    return [piece.text for sequence in written for piece in sequence]


def _also(place, gram):
    also = place.also(gram)
    return f"{also or 'none'} of {place.others} others"


def listed(names):
    """Return names as a person lists them, the first of many."""
    if len(names) <= MOST_NAMES:
        return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    return f"{', '.join(names[:MOST_NAMES])} and {len(names) - MOST_NAMES} more"


def _excerpt(text):
    text = " ".join(printable(text).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
