"""The call that stands in the last cell of a notebook."""

import io
import itertools
import os
import time
import zipfile
from contextlib import suppress
from pathlib import Path

from course import evidence as evidences
from course import session
from course.errors import CourseError
from course.evidence.format import FOLDER, MAX_FILES, MAX_METRICS_BYTES, MAX_WEIGHTS_BYTES
from course.packing import review, running_notebook
from course.packing.manifest import MANIFEST, create_manifest

LIMITS = {".json": MAX_METRICS_BYTES, ".npz": MAX_WEIGHTS_BYTES}  # bytes of a file
REAL = {"cpu", "gpu"}  # profiles


def pack(assignment, notebook, *, evidence=False):
    """Look through the notebook, pack what is handed in, and say what to upload.

    Parameters
    ----------
    assignment : str
        Its name, such as "02-mnist".
    notebook : str
        What the notebook's file is called, such as "mnist.ipynb", whatever it is called here.
    evidence : bool
        Whether the folder `evidence` is handed in as well.

    Raises
    ------
    CourseError
        If the archive cannot be written.
    """
    shell = _shell()
    executed = list(shell.history_manager.input_hist_raw)[1:] if shell else []
    own = running_notebook.read(executed)
    if own and own.is_for_instructors:
        print("This notebook holds hidden tests: nothing is packed.")
        return
    found = review.look(own, executed) if own else []
    if own and own.name not in ("", notebook):
        found.insert(0, (True, f"{own.name} is packed as {notebook}"))
    for is_fine, line in found:
        _say(is_fine, line)
    files = {notebook: own.content} if own else {}
    if evidence:
        files |= _evidence()
    archive = None
    if own or evidence:
        print()
    if files:
        archive = Path(f"{Path(notebook).stem}-hand-in.zip")
        checksum = _write(archive, files, _describe(assignment, shell))
    if own:
        print(f"Upload {archive.resolve()}. Its checksum is {checksum}.")
        if not all(is_fine for is_fine, _ in found):
            print("You can hand it in as it is, or mend what stands behind `look` before.")
        _offer_download(archive)
        return
    print("This notebook cannot be read from here. Save it, download it (File > Download), and")
    if archive:
        print(f"upload it together with {archive.resolve()}. The checksum of that is {checksum}.")
        _offer_download(archive)
    else:
        print(f"upload it as {notebook}.")


def _shell():
    from IPython import get_ipython

    return get_ipython()


def _say(is_fine, line):
    print(f"{'ok' if is_fine else 'look'}: {line}")


def _evidence():
    """Return the files of evidence, and say whether they are of use."""
    found = evidences.read()
    profiles = {str(record.get("profile")) for record in found["metrics"].values()}
    for problem in found["problems"]:
        _say(False, problem)
    if not profiles <= REAL:
        _say(False, "the evidence is not of a real training: train in the cpu or gpu profile.")
    elif not found["problems"]:
        count = len(found["metrics"])
        trainings = f"{count} training{'s' * (count > 1)}"
        _say(True, f"evidence of {trainings} ({', '.join(sorted(profiles))} profile)")
    paths = sorted(itertools.islice(Path(FOLDER).glob("*"), MAX_FILES))
    return {f"{FOLDER}/{path.name}": path.read_bytes() for path in paths if _is_plain(path)}


def _is_plain(path):
    is_file = path.is_file() and not path.is_symlink() and os.access(path, os.R_OK)
    return is_file and path.stat().st_size <= LIMITS.get(path.suffix, -1)


def _describe(assignment, shell):
    from course import __version__

    run = session.current_run
    student = shell.user_ns.get("student") if shell else None
    described = {"assignment": assignment, "student": student if isinstance(student, str) else ""}
    described |= {
        "version": __version__,
        "packed_at": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
    }
    if run:
        described |= {name: getattr(run, name) for name in ("profile", "backend", "device", "seed")}
    return described


def _write(archive, files, described):
    """Write the archive, whole or not at all, and return the checksum."""
    content, checksum = create_manifest(described, files)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in {**files, MANIFEST: content}.items():
            target.writestr(name, data)
    unfinished = archive.with_name(archive.name + ".part")
    try:
        unfinished.write_bytes(packed.getvalue())
        unfinished.replace(archive)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink()
        raise CourseError(
            f"{archive.resolve()} cannot be written ({error.strerror}): make room in its folder or"
            " make it writable, then run this cell again."
        ) from None
    return checksum


def _offer_download(archive):
    """Let the browser download the archive, where a platform can."""
    try:
        from google.colab import files
    except ImportError:
        return
    print("If no download begins, find the file in the list at the left.")
    files.download(str(archive))
