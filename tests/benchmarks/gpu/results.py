"""The file of results, which is written after each measurement and continued by later calls."""

import json
from pathlib import Path
from typing import Any

from course.errors import CourseError
from course.files import write_atomically

# If one of these differs, the new measurements would not be comparable with those in the file.
FIXED = ("machine", "versions", "tiny")
LISTS = ("measurements", "runs")


class Results:
    """The finished measurements and their rows, and the errors of those that failed.

    `content["measurements"]` has one entry per measurement; `content["runs"]` has the rows, each
    with the name of its measurement. A measurement that failed has no rows.
    """

    def __init__(self, path: Path, head: dict[str, Any], command: str) -> None:
        """Read the file if it exists; `head` describes this machine.

        Raises CourseError if the file is damaged or was measured elsewhere.
        """
        self.path = path
        self.content = head | {"commands": [], "measurements": [], "runs": []}
        if path.exists():
            self.content = self._read(head)
        if command not in self.content["commands"]:
            self.content["commands"].append(command)

    def _read(self, head: dict[str, Any]) -> dict[str, Any]:
        """Return the content of the file."""
        advice = "choose another file with --output"
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            found = {key: content[key] for key in (*FIXED, "commands", *LISTS)}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CourseError(f"{self.path} cannot be continued ({error!r}): {advice}.") from None
        for key in FIXED:
            if found[key] != head[key]:
                raise CourseError(
                    f"{self.path} has been measured with {key} {found[key]!r}, but this is"
                    f" {head[key]!r}: {advice}."
                )
        return content

    def is_complete(self, name: str) -> bool:
        """Return whether a measurement has been finished without an error."""
        return any(
            each["name"] == name and "error" not in each for each in self.content["measurements"]
        )

    def add(self, name: str, seconds: float, rows: list[dict[str, Any]]) -> None:
        """Add a finished measurement."""
        self._replace({"name": name, "seconds": round(seconds, 1)}, rows)

    def fail(self, name: str, seconds: float, error: BaseException) -> None:
        """Record that a measurement failed."""
        text = f"{type(error).__name__}: {error}"
        self._replace({"name": name, "seconds": round(seconds, 1), "error": text[:1000]}, [])

    def _replace(self, entry: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        """Replace what the file contains about a measurement, and write it."""
        name, content = entry["name"], self.content
        content["measurements"] = [each for each in content["measurements"] if each["name"] != name]
        content["runs"] = [each for each in content["runs"] if each["measurement"] != name]
        content["measurements"].append(entry)
        content["runs"] += [{"measurement": name} | row for row in rows]
        self.write()

    def write(self) -> None:
        """Write the file, with one line per measurement and row."""
        head = json.dumps(
            {key: value for key, value in self.content.items() if key not in LISTS}, indent=1
        )
        lists = [
            f' "{key}": [\n' + ",\n".join(map(json.dumps, self.content[key])) + "\n ]"
            for key in LISTS
        ]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, ",\n".join([head.removesuffix("\n}"), *lists]) + "\n}\n")
