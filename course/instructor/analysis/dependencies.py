"""Which of a student's cells a test can depend on, as far as can be read.

The others, first looks, pictures and tables for the most part, are left out of a grading. That they
can change no score is read from the text alone; before a test that comes after one of them loses
points, all are run.
"""

import ast

from course.instructor.analysis.cell_names import known, names_in, parse


def cells_that_matter(cells, kit):
    """Return the places of the cells that a later test seems to depend on.

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
    reads = {name: each.functions[name] for each in used for name in each.functions}
    locked = [kit.is_locked_code(cell["grade_id"]) for cell in cells]
    # What the locked cells make is changed by nobody who means to go on with it.
    given = frozenset().union(*(used[i].bound for i in range(len(cells)) if locked[i]))
    live, found = set(), set()
    for place in reversed(range(len(cells))):
        name, source = cells[place]["grade_id"], cells[place]["source"]
        if kit.is_test(name):
            # The test's own text, which a student has perhaps changed in this notebook.
            live |= _with_what_functions_read(names_in(kit.cells[name]["source"]).needed, reads)
            continue
        each = used[place]
        touched = each.bound | (_changed(source, imported) - given)
        # An import costs nothing, and a module is used everywhere.
        if each.opaque or each.imported or locked[place] or touched & live:
            found.add(place)
            live -= _surely_bound(source)
            live |= _with_what_functions_read(each.needed, reads)
    return found


def is_used(names, cells, kit):
    """Return whether one of the cells may use one of the names as it finds it."""
    for cell in cells:
        if not kit.is_test(cell["grade_id"]):
            used = names_in(cell["source"])
            if used.opaque or used.needed & names:
                return True
    return False


def _with_what_functions_read(names, reads):
    """Return names and, as functions read theirs when they are called, what those read."""
    found, waiting = set(), set(names)
    while waiting:
        found |= waiting
        waiting = set().union(*(reads.get(name, ()) for name in waiting)) - found
    return found


def _changed(source, imported):
    """Return the names whose objects a cell may change without binding them.

    Those that it stores into or deletes, whose methods it calls, and which it hands to a function
    of the notebook's own.
    """
    tree, names = parse(source), set()
    for node in ast.walk(tree) if tree else ():
        if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
            names.add(_base(node))
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                if not known(node.func.id) and node.func.id not in imported:
                    values = [*node.args, *(keyword.value for keyword in node.keywords)]
                    names |= {_base(value) for value in values}
            else:
                names.add(_base(node.func))
    return names - imported - {None}


def _base(node):
    """Return the name at the bottom of attributes, items and methods, or None."""
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return None  # what a function returns is new
        node = getattr(node, "value", None) or getattr(node, "func", None)
        if not isinstance(node, ast.AST):
            return None
    return node.id


def _surely_bound(source):
    """Return the names that a cell binds whatever happens, but for an error."""
    names = set()
    for statement in getattr(parse(source), "body", ()):
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                targets = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
                names |= {each.id for each in targets if isinstance(each, ast.Name)}
    return names
