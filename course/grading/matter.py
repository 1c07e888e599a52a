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
    used = [names_in(cell["source"]) for cell in cells]
    imported = frozenset().union(*(each.imported for each in used))
    found = set()
    for place, cell in enumerate(cells):
        if kit.is_test(cell["grade_id"]):
            # The test's own text, which a student has perhaps changed in this notebook.
            roots = names_in(kit.cells[cell["grade_id"]]["source"]).needed
            found |= _cells_behind(roots - imported, used[:place], imported)
    return {
        place
        for place, cell in enumerate(cells)
        if not kit.is_test(cell["grade_id"])
        # An import costs nothing, and a module is used everywhere.
        and (place in found or used[place].imported or kit.is_locked_code(cell["grade_id"]))
    }


def _cells_behind(roots, used, imported):
    """Return the places of the cells that mention a name on which the roots may depend."""
    live, waiting = set(), set(roots)
    while waiting:
        live |= waiting
        # What a cell binds may depend on all that it mentions; a function reads when it is called.
        binding = [each.mentioned for each in used if each.bound & waiting]
        waiting = set().union(*binding) - imported - live
    return {
        place
        for place, each in enumerate(used)
        if each.opaque or (each.mentioned - imported) & live
    }


def is_used(names, cells, kit):
    """Return whether one of the cells may use one of the names as it finds it."""
    for cell in cells:
        if not kit.is_test(cell["grade_id"]):
            used = names_in(cell["source"])
            if used.opaque or used.needed & names:
                return True
    return False
