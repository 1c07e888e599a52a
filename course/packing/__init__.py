"""Packing a submission, in the last cell of every notebook.

    from course import packing

    packing.pack("02-mnist", notebook="mnist.ipynb")

`pack` warns about cells that were not run in order, empty answers, and missing evidence. It writes
`mnist-submission.zip` beside the notebook, with the notebook under its original name, the Python
files beside it that it imports, the folder `evidence`, and a manifest with checksums. Warnings
never prevent a submission.
"""

from course.packing.archive import pack
from course.packing.manifest import MANIFEST, MANIFEST_NAMES, check_manifest, read_manifest

__all__ = ["MANIFEST", "MANIFEST_NAMES", "check_manifest", "pack", "read_manifest"]
