"""The list that lies with what was packed: of what, when, and the checksum of every file."""

import hashlib
import json

from course.evidence.format import printable_text

MANIFEST = "hand-in.json"
MAX_BYTES = 2**16
TEXTS = ("assignment", "student", "version", "profile", "backend", "device", "packed_at")


def create_manifest(described, files):
    """Return a manifest's content and the short checksum.

    Parameters
    ----------
    described : dict
        `TEXTS` to text, and seed to a number.
    files : dict of str to bytes
        What is packed, without the manifest.

    Returns
    -------
    content : bytes
    checksum : str
        Two groups of four digits, for people to compare.
    """
    sums = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
    checksum = _short_sum(sums)
    content = {**described, "files": sums, "checksum": checksum}
    return json.dumps(content, indent=1).encode() + b"\n", checksum


def read_manifest(files):
    """Return what a manifest says, as far as the files beside it bear it out.

    It comes from anybody: nothing of it is believed, and nothing in it raises an error.

    Parameters
    ----------
    files : dict of str to bytes
        What was packed, the manifest included.

    Returns
    -------
    dict
        `TEXTS` to text, "" where there is none; "checksum", "" unless it fits; and "problems", a
        list of sentences.
    """
    said = _parse(files.get(MANIFEST, b""))
    found = {name: _text(said.get(name)) for name in TEXTS}
    found |= {"checksum": "", "problems": []}
    sums = said.get("files")
    if not isinstance(sums, dict):
        found["problems"].append(f"{MANIFEST} cannot be read")
        return found
    there = {name: files[name] for name in files if name != MANIFEST}
    real = {name: hashlib.sha256(there[name]).hexdigest() for name in sorted(there)}
    changed = sorted(name for name in real if name in sums and sums[name] != real[name])
    gone = sorted(name for name in sums if name not in real)
    added = sorted(name for name in real if name not in sums)
    for what, names in (("changed", changed), ("missing", gone), ("added", added)):
        if names:
            words = ", ".join(printable_text(name) for name in names[:5])
            found["problems"].append(f"{what} since it was packed: {words}")
    if not found["problems"]:
        found["checksum"] = _short_sum(real)
    return found


def _parse(content):
    try:
        said = json.loads(content[: MAX_BYTES + 1]) if len(content) <= MAX_BYTES else None
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _text(value):
    if not isinstance(value, str):
        return ""
    return "".join(each for each in value[:100] if each.isprintable())


def _short_sum(sums):
    lines = "".join(f"{name}\0{sums[name]}\n" for name in sorted(sums))
    # The names in an archive need not be text that can be encoded.
    digits = hashlib.sha256(lines.encode(errors="backslashreplace")).hexdigest()[:8]
    return f"{digits[:4]}-{digits[4:]}"
