"""The manifest of a submission: assignment, student, time, and the checksum of every file."""

import hashlib
import json
from typing import Any

from course.evidence.format import printable_text

MANIFEST = "submission.json"
MANIFEST_NAMES = (MANIFEST, "hand-in.json")  # earlier versions wrote the second
MAX_BYTES = 2**16
TEXT_FIELDS = ("assignment", "student", "version", "profile", "backend", "device", "packed_at")


def create_manifest(description: dict[str, Any], files: dict[str, bytes]) -> tuple[bytes, str]:
    """Return a manifest's content and a checksum that is short enough for people to compare.

    `description` maps `TEXT_FIELDS` to strings and "seed" to an int; `files` contains the packed
    files without the manifest.
    """
    checksums = _checksums(files)
    checksum = _shorten(checksums)
    content = {**description, "files": checksums, "checksum": checksum}
    return json.dumps(content, indent=1).encode() + b"\n", checksum


def read_manifest(files: dict[str, bytes]) -> dict[str, Any]:
    """Return the content of an untrusted manifest, checked against the files packed with it.

    `check_manifest` describes the result. Nothing in the manifest raises an error.
    """
    manifest_name = next((name for name in MANIFEST_NAMES if name in files), MANIFEST)
    others = {name: content for name, content in files.items() if name != manifest_name}
    return check_manifest(manifest_name, files.get(manifest_name, b""), _checksums(others))


def check_manifest(manifest_name: str, content: bytes, actual: dict[str, str]) -> dict[str, Any]:
    """Return the content of an untrusted manifest, checked against the files packed with it.

    `actual` maps the other files to their SHA-256 digests. The result has the printable
    `TEXT_FIELDS` ("" if missing), "checksum" ("" unless all files are unchanged), and "problems", a
    list of sentences. Nothing in the manifest raises an error.
    """
    manifest = _parse(content)
    found: dict[str, Any] = {name: _printable_field(manifest.get(name)) for name in TEXT_FIELDS}
    problems: list[str] = []
    found |= {"checksum": "", "problems": problems}
    listed = manifest.get("files")
    if not isinstance(listed, dict):
        problems.append(f"{manifest_name} cannot be read")
        return found
    actual = dict(sorted(actual.items()))
    changed = [name for name in actual if name in listed and listed[name] != actual[name]]
    missing = sorted(listed.keys() - actual.keys())
    added = [name for name in actual if name not in listed]
    for change, affected in (("changed", changed), ("missing", missing), ("added", added)):
        if affected:
            text = ", ".join(printable_text(name) for name in affected[:5])
            problems.append(f"{change} since it was packed: {text}")
    if not problems:
        found["checksum"] = _shorten(actual)
    return found


def _checksums(files: dict[str, bytes]) -> dict[str, str]:
    """Return the SHA-256 digests of files, in the order of their names."""
    return {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}


def _parse(content: bytes) -> dict[str, Any]:
    """Return the dict in the content of a JSON file, or an empty dict."""
    try:
        value = json.loads(content) if len(content) <= MAX_BYTES else None
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _printable_field(value: object) -> str:
    """Return a text field without unprintable characters."""
    if not isinstance(value, str):
        return ""
    return "".join(character for character in value[:100] if character.isprintable())


def _shorten(checksums: dict[str, str]) -> str:
    """Return a short checksum of the names and the digests of files."""
    lines = "".join(f"{name}\0{digest}\n" for name, digest in checksums.items())
    # Names in an archive can contain text that cannot be encoded.
    digits = hashlib.sha256(lines.encode(errors="backslashreplace")).hexdigest()[:8]
    return f"{digits[:4]}-{digits[4:]}"
