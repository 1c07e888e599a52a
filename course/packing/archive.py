"""The archive that a student submits."""

import io
import itertools
import os
import time
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from course import evidence as evidence_files
from course import platforms, session
from course.errors import CourseError
from course.evidence.format import FOLDER, MAX_FILES, MAX_METRICS_BYTES, MAX_WEIGHTS_BYTES
from course.files import write_atomically
from course.packing import helper_files, running_notebook
from course.packing.manifest import MANIFEST, create_manifest
from course.packing.review import review_notebook

MAX_BYTES = {".json": MAX_METRICS_BYTES, ".npz": MAX_WEIGHTS_BYTES}  # of one file


def pack(assignment, notebook, *, evidence=False):
    """Review the notebook, pack the submission, and print which file to upload.

    Parameters
    ----------
    assignment : str
        The assignment's name, such as "02-mnist".
    notebook : str
        The original name of the notebook's file, such as "mnist.ipynb", even if it was renamed.
    evidence : bool
        If True, the folder `evidence` is packed too.

    Raises
    ------
    CourseError
        If the archive cannot be written.
    """
    from IPython import get_ipython

    shell = get_ipython()  # None outside a notebook
    executed = list(shell.history_manager.input_hist_raw)[1:] if shell else []
    own = running_notebook.read(executed)
    if own and own.has_hidden_tests:
        print("This notebook contains hidden tests: nothing is packed.")
        return
    variables = shell.user_ns if shell else {}
    helpers, problems = helper_files.find_helpers(own.code if own else executed, Path())
    findings = review_notebook(own, executed, variables, helpers) if own else []
    findings += [(False, problem) for problem in problems]
    if helpers:
        findings.insert(0, (True, f"packed with the notebook: {', '.join(sorted(helpers))}"))
    if own and own.name not in ("", notebook):
        findings.insert(0, (True, f"{own.name} is packed as {notebook}"))
    for is_ok, line in findings:
        _print_finding(is_ok, line)
    files = ({notebook: own.content} if own else {}) | helpers
    if evidence:
        files |= _read_evidence()
    archive = Path(f"{Path(notebook).stem}-submission.zip")
    if own or evidence or findings:
        print()
    if files:
        checksum = _write(archive, files, _describe(assignment, shell))
    if own:
        print(f"Upload {archive.resolve()}. Its checksum is {checksum}.")
        if not all(is_ok for is_ok, _ in findings):
            print("You can submit it as it is, or fix the warnings first.")
        _offer_download(archive)
        return
    print("This cell cannot read the notebook. Save it, download it (File > Download), and")
    if files:
        print(f"upload it together with {archive.resolve()}. The archive's checksum is {checksum}.")
        _offer_download(archive)
    else:
        print(f"upload it as {notebook}.")


def _print_finding(is_ok: bool, line: str) -> None:
    """Print a finding of the review."""
    print(f"{'ok' if is_ok else 'warning'}: {line}")


def _read_evidence() -> dict[str, bytes]:
    """Return the evidence files and print whether they are usable."""
    found = evidence_files.read()
    profiles = {str(record.get("profile")) for record in found["metrics"].values()}
    for problem in found["problems"]:
        _print_finding(False, problem)
    if not profiles <= {"cpu", "gpu"}:
        _print_finding(
            False,
            "the evidence is not from a real training run: train with the cpu or gpu profile.",
        )
    elif not found["problems"]:
        count = len(found["metrics"])
        trainings = f"{count} training run{'s' * (count > 1)}"
        _print_finding(True, f"evidence of {trainings} ({', '.join(sorted(profiles))} profile)")
    paths = sorted(itertools.islice(Path(FOLDER).glob("*"), MAX_FILES))
    return {f"{FOLDER}/{path.name}": path.read_bytes() for path in paths if _is_packed(path)}


def _is_packed(path: Path) -> bool:
    """Return True for a readable, regular evidence file that is not too large."""
    is_file = path.is_file() and not path.is_symlink() and os.access(path, os.R_OK)
    return is_file and path.stat().st_size <= MAX_BYTES.get(path.suffix, -1)


def _describe(assignment: str, shell: Any) -> dict[str, Any]:
    """Return the manifest's description of the submission."""
    from course import __version__

    run = session.current_run
    student = shell.user_ns.get("student") if shell else None
    return {
        "assignment": assignment,
        "student": student if isinstance(student, str) else "",
        "version": __version__,
        "packed_at": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        **(asdict(run) if run else {}),
    }


def _write(archive: Path, files: dict[str, bytes], description: dict[str, Any]) -> str:
    """Write the archive and return its checksum."""
    manifest, checksum = create_manifest(description, files)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in {**files, MANIFEST: manifest}.items():
            target.writestr(name, content)
    try:
        write_atomically(archive, buffer.getvalue())
    except OSError as error:
        raise CourseError(
            f"{archive.resolve()} cannot be written ({error.strerror}): free some space for its"
            " folder or make it writable, then run this cell again."
        ) from None
    return checksum


def _offer_download(archive: Path) -> None:
    """Start a download in the browser on platforms that support it."""
    if platforms.on_kaggle():
        print("Find the file in the output section, on the right.")
        return
    try:
        from google.colab import files
    except ImportError:
        return
    print("If the download does not start, find the file in the file list on the left.")
    files.download(str(archive))
