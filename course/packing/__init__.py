"""Packing what is handed in: the last cell of every notebook.

    from course import packing

    packing.pack("02-mnist", notebook="mnist.ipynb")

`pack` looks whether all cells were run in order, whether an answer is empty and whether evidence is
there, says so, and writes `mnist-hand-in.zip` beside the notebook: the notebook under its own name,
the folder `evidence`, and a list with checksums. What it finds never keeps anybody from handing in.
"""

from course.packing.archive import pack
from course.packing.manifest import MANIFEST, read_manifest

__all__ = ["MANIFEST", "pack", "read_manifest"]
