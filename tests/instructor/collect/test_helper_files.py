"""`course collect` on uploads with helper files, which notebooks import."""

import pytest

from course.packing.manifest import create_manifest
from tests.instructor.collect import platform_archives
from tests.instructor.collect.platform_archives import zipped
from tests.instructor.collect.test_collection import FILE, NAME, WHOLE, other, submitted
from tests.submissions import ROOT

HELPER = b"def double(x):\n    return 2 * x\n"
ADA = ("--student", "ada")
RENAME = "rename the file, and change the imports"


def packed(files):
    """Return an archive as the packing cell writes it."""
    manifest, _ = create_manifest({"assignment": NAME}, files)
    return zipped(files | {"submission.json": manifest})


UPLOADS = {
    "the packing cell's archive": {
        "ada/mnist-submission.zip": packed({FILE: WHOLE, "helpers.py": HELPER})
    },
    "a folder": {f"ada/{FILE}": WHOLE, "ada/helpers.py": HELPER},
    "an archive without the notebook": {
        f"ada/{FILE}": WHOLE,
        "ada/mnist-submission.zip": packed({"helpers.py": HELPER}),
    },
    "Canvas": {
        platform_archives.canvas("Ada", 17, 4, FILE): WHOLE,
        platform_archives.canvas("Ada", 17, 5, "helpers-1.py"): HELPER,
    },
    "nbgrader": {f"submitted/ada/{NAME}/{FILE}": WHOLE, f"submitted/ada/{NAME}/helpers.py": HELPER},
}


@pytest.mark.parametrize("upload", UPLOADS)
def test_a_helper_file_is_collected_with_its_notebook(root, collect, upload):
    (root / "roster.csv").write_text("student,name,canvas\nada,Ada,17\n")
    done = collect(UPLOADS[upload])
    assert done.returncode == 0, done.stdout
    assert submitted(root) == {f"ada/{NAME}/{FILE}": WHOLE, f"ada/{NAME}/helpers.py": HELPER}
    assert "with helpers.py" in done.stdout
    assert "changed since it was packed" not in done.stdout


@pytest.mark.parametrize(
    ("name", "reason"),
    {
        "random.py": f"random is a module of Python's standard library: {RENAME}",
        "numpy.py": f"numpy is an installed package: {RENAME}",
        "course.py": f"course is an installed package: {RENAME}",
        "nbgrader.py": f"nbgrader is an installed package: {RENAME}",
        f"{'x' * 61}.py": f"its name has more than 60 characters: {RENAME}",
        "large.py": "it is larger than 100 KB",
    }.items(),
)
def test_a_refused_helper_file_is_flagged_and_its_notebook_is_collected(
    root, collect, name, reason
):
    content = b"#" * 200_000 if name == "large.py" else HELPER
    done = collect({f"ada/{FILE}": WHOLE, f"ada/{name}": content}, *ADA)
    assert done.returncode == 1
    assert f"flagged for manual review: {reason}" in done.stdout
    assert submitted(root) == {f"ada/{NAME}/{FILE}": WHOLE}


def test_python_files_elsewhere_are_skipped(root, collect):
    members = {f"ada/{FILE}": WHOLE, "ada/my helpers.py": HELPER, "setup.py": HELPER}
    members |= {f"ada/.venv/lib/module_{number}.py": HELPER for number in range(600)}
    done = collect(members | {"bob.ipynb": other("of bob"), "ada/deep/helpers.py": HELPER})
    assert done.returncode == 0, done.stdout
    assert submitted(root).keys() == {f"ada/{NAME}/{FILE}", f"bob/{NAME}/{FILE}"}


def test_a_helper_file_in_a_shared_folder_belongs_to_nobody(root, collect):
    done = collect({"ada.ipynb": WHOLE, "bob.ipynb": other("of bob"), "helpers.py": HELPER})
    assert done.returncode == 0
    assert submitted(root).keys() == {f"ada/{NAME}/{FILE}", f"bob/{NAME}/{FILE}"}
    assert "beside no student's notebook" in done.stdout


def test_no_more_than_ten_helper_files_are_collected(root, collect):
    helpers = {f"ada/part_{number:02}.py": HELPER for number in range(11)}
    done = collect({f"ada/{FILE}": WHOLE} | helpers, *ADA)
    assert done.returncode == 1
    assert "there are more than 10 helper files with the notebook" in done.stdout
    assert len(submitted(root)) == 11


def test_attempts_that_differ_only_in_a_helper_file_are_different(root, collect):
    first = packed({FILE: WHOLE, "helpers.py": HELPER})
    second = packed({FILE: WHOLE, "helpers.py": b"x = 1\n"})
    same_time = dict.fromkeys(("ada/a.zip", "ada/b.zip"), 1_760_000_000)
    done = collect({"ada/a.zip": first, "ada/b.zip": second}, *ADA, times=same_time)
    assert done.returncode == 1
    assert "several attempts differ, and none is clearly the newest" in done.stdout
    times = {"ada/a.zip": 1_760_000_000, "ada/b.zip": 1_760_000_100}
    assert collect({"ada/a.zip": first, "ada/b.zip": second}, *ADA, times=times).returncode == 0
    assert submitted(root)[f"ada/{NAME}/helpers.py"] == b"x = 1\n"


def test_the_assignments_own_file_is_never_replaced(root, collect):
    (root / "release").unlink()
    released = root / "release" / NAME
    released.mkdir(parents=True)
    (released / FILE).write_bytes((ROOT / "release" / NAME / FILE).read_bytes())
    (released / "given.py").write_text("x = 1\n")
    done = collect({f"ada/{FILE}": WHOLE, "ada/given.py": b"x = 2\n"}, NAME, *ADA)
    assert done.returncode == 0
    assert "skipped: the assignment's own file is used" in done.stdout
    assert submitted(root) == {f"ada/{NAME}/{FILE}": WHOLE}
