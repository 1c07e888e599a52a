"""What the names that a cell binds evidently hold, where that cannot be handed to a test."""

import ast

FIGURE_MAKERS = ["add_subplot", "axes", "figure", "gca", "gcf", "subplot", "subplot_mosaic"]
FIGURE_MAKERS += ["subplots"]
GENERATOR_MAKERS = ["enumerate", "filter", "iter", "map", "reversed", "zip"]
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def what_names_hold(tree, before):
    """Return what the names that a cell binds evidently hold; the last binding counts.

    Parameters
    ----------
    tree : ast.Module or None
        The cell.
    before : dict of str to (str or None)
        What names held before it.

    Returns
    -------
    dict of str to (str or None)
        A key of `lint.REFUSED`, or None for what may well cross.
    """
    found = {}
    nodes = [tree] if tree else []
    while nodes:
        node = nodes.pop()
        value, targets = None, []
        match node:
            case ast.Assign(targets=targets, value=value):
                pass
            case ast.NamedExpr(target=target) | ast.AnnAssign(target=target):
                value, targets = node.value, [target]
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                targets = [target]
            case ast.ClassDef(name=name):
                found[name] = "a class"
            case ast.FunctionDef(name=name):
                found[name] = "a generator" if _yields(node) else None
        for target in targets:
            what = _made_by(value, before | found)
            if not isinstance(target, ast.Name) and what != "a figure":
                what = None  # `x, y = zip(*pairs)` takes it apart
            found |= {each.id: what for each in ast.walk(target) if _is_stored(each)}
        if not isinstance(node, SCOPES):
            nodes += reversed(list(ast.iter_child_nodes(node)))
    return found


def _made_by(value, holds):
    """Return which key of REFUSED a value evidently is, or None."""
    if isinstance(value, ast.GeneratorExp):
        return "a generator"
    if isinstance(value, ast.Name):
        return holds.get(value.id)
    path = []
    node = value.func if isinstance(value, ast.Call) else None
    while isinstance(node, ast.Attribute):
        path.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        path.append(node.id)
    if not path:
        return None
    if path[0] in FIGURE_MAKERS or "plotting" in path[1:]:
        return "a figure"
    if path[0] == "open":
        return "an open file"
    if len(path) > 1:
        return None
    if holds.get(path[0]) == "a class":
        return "an object of a class"
    is_generator = path[0] in GENERATOR_MAKERS or holds.get(path[0]) == "a generator"
    return "a generator" if is_generator else None


def _is_stored(node):
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _yields(function):
    """Tell whether a function makes a generator; what functions inside it yield is theirs."""
    nodes = list(function.body)
    for node in nodes:
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, SCOPES):
            nodes += ast.iter_child_nodes(node)
    return False
