"""Names in a message: the first few, and the number of the others."""

from collections.abc import Collection
from itertools import islice


def shorten_list(names: Collection[str], limit: int = 20) -> str:
    """Return the first names as text, such as "ada, bob, and 3 more"."""
    more = [f"and {len(names) - limit} more"] if len(names) > limit else []
    return ", ".join([*islice(names, limit), *more])
