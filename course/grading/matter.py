"""Which of a student's cells a test can depend on, as far as can be read.

The others, pictures and tables for the most part, are left out of a grading. That they can change
no score is read from the names alone; before a test that comes after one of them loses points, all
are run.
"""

from course.grading.names import names_in


def cells_that_matter(cells, kit):
    """Return the places of the cells that a later test may depend on.

    Parameters
    ----------
    cells : list of dict
        As `Job` has them.
    kit : Kit
        Says which are tests.

    Returns
    -------
    set of int
    """
    imported = set().union(*(names_in(cell["source"]).imported for cell in cells))
    live, found = set(), set()
    for place in reversed(range(len(cells))):
        name, used = cells[place]["grade_id"], names_in(cells[place]["source"])
        if kit.is_test(name):
            # Its own text, which a student has perhaps changed in this notebook.
            live |= names_in(kit.cells[name]["source"]).mentioned
        elif used.opaque or kit.is_locked_code(name) or (used.mentioned - imported) & live:
            live |= used.mentioned
            found.add(place)
        elif used.imported:
            found.add(place)  # costs nothing, and a module is used everywhere
    return found


def is_used(names, cells, kit):
    """Return whether one of the cells may use one of the names as it finds it."""
    for cell in cells:
        if not kit.is_test(cell["grade_id"]):
            used = names_in(cell["source"])
            if used.opaque or used.needed & names:
                return True
    return False
