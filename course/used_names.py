"""Which names the text of a cell uses, seen through its imports."""

import ast

# What computes a convolution for you, for `written_without`.
READY_MADE = (
    "keras", "layers", "ops", "tensorflow", "tf", "torch", "jax", "jnp",
    "scipy", "skimage", "sklearn", "cv2", "PIL",
    "numpy.convolve", "numpy.correlate", "numpy.fft",
    "importlib", "__import__", "eval", "exec",
)  # fmt: skip


def used_names(tree):
    """Return the dotted names that a parsed text uses, each from the module that it comes from."""
    stands_for, own, used = {"np": "numpy"}, set(), []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                used.append(name.name)
                stands_for[name.asname or name.name.split(".")[0]] = (
                    name.name if name.asname else name.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                full = f"{node.module}.{name.name}" if node.module else name.name
                used.append(full)
                stands_for[name.asname or name.name] = full
        elif isinstance(node, ast.arg):
            own.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
    for node in ast.walk(tree):
        parts = []
        while isinstance(node, ast.Attribute):
            parts.insert(0, node.attr)
            node = node.value
        if isinstance(node, ast.Name) and (node.id not in own or node.id in stands_for):
            used.append(".".join([stands_for.get(node.id, node.id), *parts]))
    return used


def is_part_of(used, names):
    """Return whether a dotted name is one of some names, or in a module that is."""
    return any(used == name or used.startswith(f"{name}.") for name in names)
