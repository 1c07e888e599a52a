"""The manifest of a submission: assignment, student, time, and the checksum of every file."""

import hashlib
import json
from typing import Any

from course.evidence.format import printable_text

MANIFEST = "submission.json"
MANIFEST_NAMES = (MANIFEST, "hand-in.json")  # the second is that of earlier versions
MAX_BYTES = 2**16
TEXT_FIELDS = ("assignment", "student", "version", "profile", "backend", "device", "packed_at")


def create_manifest(description, files):
    """Return a manifest's content and the short checksum.

    Parameters
    ----------
    description : dict
        Maps `TEXT_FIELDS` to strings, and "seed" to an int.
    files : dict of str to bytes
        The packed files, without the manifest.

    Returns
    -------
    content : bytes
    checksum : str
        Two groups of four digits, for people to compare.
    """
    checksums = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
    short_checksum = _shorten(checksums)
    content = {**description, "files": checksums, "checksum": short_checksum}
    return json.dumps(content, indent=1).encode() + b"\n", short_checksum


def read_manifest(files):
    """Return the content of a manifest, checked against the files.

    The manifest is untrusted; nothing in it raises an error.

    Parameters
    ----------
    files : dict of str to bytes
        The packed files, including the manifest under one of `MANIFEST_NAMES`.

    Returns
    -------
    dict
        - `TEXT_FIELDS`: printable strings, "" if missing.
        - checksum: the short checksum, "" unless all files are unchanged.
        - problems: a list of sentences.
    """
    manifest_name = next((name for name in MANIFEST_NAMES if name in files), MANIFEST)
    manifest = _parse(files.get(manifest_name, b""))
    texts = {name: _printable_field(manifest.get(name)) for name in TEXT_FIELDS}
    problems: list[str] = []
    found: dict[str, Any] = {**texts, "checksum": "", "problems": problems}
    listed = manifest.get("files")
    if not isinstance(listed, dict):
        problems.append(f"{manifest_name} cannot be read")
        return found
    names = sorted(name for name in files if name != manifest_name)
    actual = {name: hashlib.sha256(files[name]).hexdigest() for name in names}
    changed = [name for name in names if name in listed and listed[name] != actual[name]]
    missing = sorted(name for name in listed if name not in actual)
    added = [name for name in names if name not in listed]
    for change, affected in (("changed", changed), ("missing", missing), ("added", added)):
        if affected:
            text = ", ".join(printable_text(name) for name in affected[:5])
            problems.append(f"{change} since it was packed: {text}")
    if not problems:
        found["checksum"] = _shorten(actual)
    return found


def _parse(content: bytes) -> dict[str, Any]:
    """Return the dict in a JSON file, or an empty one."""
    try:
        value = json.loads(content[: MAX_BYTES + 1]) if len(content) <= MAX_BYTES else None
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _printable_field(value: object) -> str:
    """Return a text field without unprintable characters."""
    if not isinstance(value, str):
        return ""
    return "".join(character for character in value[:100] if character.isprintable())


def _shorten(checksums: dict[str, str]) -> str:
    """Return a short checksum of file names and checksums."""
    lines = "".join(f"{name}\0{checksums[name]}\n" for name in sorted(checksums))
    # Names in an archive can contain text that cannot be encoded.
    digits = hashlib.sha256(lines.encode(errors="backslashreplace")).hexdigest()[:8]
    return f"{digits[:4]}-{digits[4:]}"
