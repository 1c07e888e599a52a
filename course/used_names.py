"""Names that the code of a cell uses, with import aliases resolved."""

import ast

# Default names for `checks.written_without`: they compute a convolution or can hide an import.
CONVOLUTION_LIBRARIES = (
    "keras", "layers", "ops", "tensorflow", "tf", "torch", "jax", "jnp",
    "scipy", "skimage", "sklearn", "cv2", "PIL",
    "numpy.convolve", "numpy.correlate", "numpy.fft",
    "importlib", "__import__", "eval", "exec",
)  # fmt: skip


def used_names(tree):
    """Return the dotted names that parsed code uses, such as "numpy.fft" for `np.fft`."""
    full_names, assigned, used = {"np": "numpy"}, set(), []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                used.append(name.name)
                package = name.name.split(".")[0]
                full_names[name.asname or package] = name.name if name.asname else package
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                full = f"{node.module}.{name.name}" if node.module else name.name
                used.append(full)
                full_names[name.asname or name.name] = full
        elif isinstance(node, ast.arg):
            assigned.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            assigned.add(node.id)
    for node in ast.walk(tree):
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.insert(0, node.attr)
            node = node.value
        if isinstance(node, ast.Name) and (node.id not in assigned or node.id in full_names):
            used.append(".".join([full_names.get(node.id, node.id), *parts]))
    return used
