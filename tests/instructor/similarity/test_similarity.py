"""`course similar`: copies are listed first, and no submission is executed or changed."""

import hashlib
import json
import random
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from tests.conftest import cell, write_notebook
from tests.instructor.similarity.simulated_class import (
    FILE,
    NAME,
    Student,
    make_class,
    write_submission,
)
from tests.submissions import ROOT, create_fixture_class, solved

ROW = re.compile(r"^ +([\d.]+)  (\S.*)\n((?: {9}.*\n)+)", re.M)
TEXT = (
    "My grandmother keeps hens, and the filters remind me of her: each looks at one small patch of"
    " the yard, always in the same manner, and tells the others what lies there."
)


def rows_of(finished):
    """Return the points, the students and the reasons of each row."""
    return [
        (float(points), set(students.split(", ")), reasons)
        for points, students, reasons in ROW.findall(finished.stdout)
    ]


class PageParser(HTMLParser):
    """Parses a page into its tags, its text, and the text that is marked as rare."""

    def __init__(self):
        super().__init__()
        self.tags, self.text, self.rare, self.is_rare = set(), "", "", False

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.is_rare = ("class", "rare") in attributes

    def handle_endtag(self, tag):
        self.is_rare = False

    def handle_data(self, data):
        self.text += data
        self.rare += data if self.is_rare else ""


def files_in(folder):
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def honest_class(tmp_path_factory, course_command):
    root, _ = make_class(tmp_path_factory.mktemp("honest"), 60, seed=3, kinds=())
    return root, course_command("-C", root, "similar", NAME)


@pytest.fixture(scope="module")
def class_with_copies(tmp_path_factory, course_command):
    root, pairs = make_class(tmp_path_factory.mktemp("copied"), 60, seed=3)
    before = files_in(root)
    return root, pairs, before, course_command("-C", root, "similar", NAME)


@pytest.fixture
def small_class(tmp_path):
    """Return a class of 24 honest students, a function that changes answers, and all answers."""
    root, template = create_fixture_class(tmp_path, NAME, names=()), solved(NAME, ROOT)
    rng = random.Random(0)
    all_answers = {f"s{number}": Student(f"few {number}").answers for number in range(24)}

    def submit(student, **changed):
        all_answers[student] = all_answers[student] | changed
        return write_submission(root, student, all_answers[student], template, rng)

    for student in all_answers:
        submit(student)
    return root, submit, all_answers


def test_copies_are_listed_first_with_what_is_the_same(class_with_copies):
    _, pairs, _, finished = class_with_copies
    assert finished.returncode == 0 and finished.stderr == ""
    names = ", ".join(sorted(pairs["verbatim"]))
    assert f"         {names}: the same cells, different outputs\n" in finished.stdout
    rows = rows_of(finished)
    reasons = {
        kind: next(row[2] for row in rows if row[1] == pairs[kind]) for kind in list(pairs)[1:]
    }
    copied = [pairs[kind] for kind in ("renamed", "reformatted", "reworded")]
    assert all(row[1] in copied for row in rows[:3])
    assert "identical except for names (" in reasons["renamed"]
    # Six of the seven code answers: a right diagnosis is the same for everyone.
    assert re.search("code: .*and 2 more identical", reasons["reformatted"])
    assert re.search(r"answer explain_cnn: \d+ of \d+ words match in order", reasons["reworded"])
    # A single shared mistake gives fewer points, but is among the twenty that are listed.
    assert (
        "code of prepare_images contains “265” (written by none of the 57 others)"
        in reasons["odd mistake"]
    )
    assert "Similarity is not proof of copying" in finished.stdout


def test_honest_students_are_below_copies(honest_class, class_with_copies):
    _, finished = honest_class
    assert finished.returncode == 0 and "the same cells" not in finished.stdout
    copied = [
        row for row in rows_of(class_with_copies[3]) if row[1] in class_with_copies[1].values()
    ]
    honest = [points for points, *_ in rows_of(finished)]
    third = sorted((points for points, *_ in copied), reverse=True)[2]
    assert max(honest) < third
    percentage = float(re.search(r"pairs: ([\d.]+)% have no points", finished.stdout)[1])
    assert percentage > 80


def test_only_the_page_is_written(class_with_copies):
    root, _, before, finished = class_with_copies
    page = root / "build" / "similar" / f"{NAME}.html"
    assert finished.stdout.endswith(f"{page}\n")
    added = set(files_in(root)) - set(before)
    assert {str(path) for path in added} == {f"build/similar/{NAME}.html"}
    assert {path: files_in(root)[path] for path in before} == before


def test_the_number_of_rows_can_be_limited(class_with_copies, course_command):
    root = class_with_copies[0]
    finished = course_command("-C", root, "similar", NAME, "--most", "2")
    assert len(rows_of(finished)) == 2
    assert rows_of(finished) == rows_of(class_with_copies[3])[:2]
    assert course_command("-C", root, "similar", "--most", "0").returncode == 2


def test_hostile_text_is_shown_as_text(small_class, course_command):
    root, submit, _ = small_class
    hostile = f"</pre><script>alert(1)</script><img src=x onerror=alert(2)> \x1b[31m \ud800 {TEXT}"
    submit("s1", explain_cnn=hostile)
    submit("s2", explain_cnn=hostile)
    finished = course_command("-C", root, "similar", NAME)
    assert finished.returncode == 0 and finished.stderr == ""
    (first, *_) = rows_of(finished)
    assert first[1] == {"s1", "s2"} and "written answer explain_cnn" in first[2]
    assert "\x1b" not in finished.stdout
    page = (root / "build" / "similar" / f"{NAME}.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in page
    # The marks split the text; a browser shows all of it as text.
    parser = PageParser()
    parser.feed(page)
    assert not {"script", "img"} & parser.tags
    assert parser.text.count(hostile.partition(" \x1b")[0]) == 2
    assert "My grandmother keeps hens" in parser.rare


def test_too_much_text_is_named_and_does_not_stop_the_comparison(small_class, course_command):
    root, submit, _ = small_class
    submit("s1", explain_cnn=TEXT + " hens" * 12_000)
    submit("s2", explain_cnn="hens " * 30_000)
    submit("s4", explain_cnn=TEXT)
    finished = course_command("-C", root, "similar", NAME)
    assert finished.returncode == 1 and finished.stderr == ""
    assert f"s1/{NAME}/{FILE} is compared only in part: it has more than 50,000" in finished.stdout
    reason = "characters, and at most 100,000 are allowed): repair it, or ask for a new copy."
    assert f"s2/{NAME}/{FILE} is skipped (cell " in finished.stdout
    assert reason in finished.stdout
    (first, *_) = rows_of(finished)
    assert first[1] == {"s1", "s4"}
    page = (root / "build" / "similar" / f"{NAME}.html").read_text(encoding="utf-8")
    assert "more characters)" in page
    assert len(page) < 200_000


def test_three_similar_submissions_are_one_row_and_all_are_on_the_page(small_class, course_command):
    root, submit, _ = small_class
    for student, word in (("s1", "yard"), ("s4", "garden"), ("s6", "meadow")):
        submit(student, explain_cnn=TEXT.replace("yard", word))
    finished = course_command("-C", root, "similar", NAME)
    (first, *rest) = rows_of(finished)
    assert first[1] == {"s1", "s4", "s6"}
    assert not any(len(row[1] & first[1]) > 1 for row in rest)
    page = (root / "build" / "similar" / f"{NAME}.html").read_text(encoding="utf-8")
    assert all(f"<h4>{student}</h4>" in page for student in first[1])


def test_many_copies_do_not_make_a_text_common(small_class, course_command):
    root, submit, _ = small_class
    for student in ("s1", "s2", "s4", "s5", "s6"):
        submit(student, explain_cnn=TEXT)
    (first, *_) = rows_of(course_command("-C", root, "similar", NAME))
    assert first[1] == {"s1", "s2", "s4", "s5", "s6"} and "32 of 32 words" in first[2]


def test_same_files_unchanged_releases_and_added_cells(small_class, course_command):
    root, submit, all_answers = small_class
    all_answers["s3"] = all_answers["s2"]
    submit("s3")
    paths = {student: root / "submitted" / student / NAME / FILE for student in all_answers}
    paths["s5"].write_bytes(paths["s4"].read_bytes())
    for student in ("s6", "s7"):
        paths[student].write_bytes((root / "release" / NAME / FILE).read_bytes())
    for student in ("s0", "s1"):
        notebook = json.loads(paths[student].read_text(encoding="utf-8"))
        notebook["cells"].insert(9, cell("markdown", f"A note of {student}. {TEXT}"))
        paths[student].write_text(json.dumps(notebook), encoding="utf-8")
    finished = course_command("-C", root, "similar", NAME)
    assert "s2, s3: the same cells, different outputs\n" in finished.stdout
    assert "s4, s5: the same file, byte for byte\n" in finished.stdout
    (first, *_) = rows_of(finished)
    assert first[1] == {"s0", "s1"} and "added text: 35 of 36 words match" in first[2]
    assert "22 submissions with answers" in finished.stdout
    assert not re.search(r"\bs[67]\b", finished.stdout)


def test_helper_files_are_compared_as_added_code(small_class, course_command):
    root, _, _ = small_class
    for student in ("s0", "s1"):
        folder = root / "submitted" / student / NAME
        (folder / "helpers.py").write_text(f"# {TEXT}\nfactor = 0.73125\n")
        (folder / "not a module.py").write_text("aardvark = 0.81375\n")
    finished = course_command("-C", root, "similar", NAME)
    (first, *_) = rows_of(finished)
    assert first[1] == {"s0", "s1"} and "in added code" in first[2]
    assert "0.81375" not in finished.stdout


def test_invalid_code_is_compared_too(small_class, course_command):
    root, submit, _ = small_class
    broken = f'for hen in yard(:  # \\d\n    hens = """ # {TEXT}\n    return 13_131 //'
    submit("s1", confusion_matrix=broken)
    submit("s2", confusion_matrix=broken.replace("//", "+ hens"))
    submit("s3", confusion_matrix="((((" * 5_000)
    submit("s5", confusion_matrix="x = " + "9" * 9_000 + "\0")
    finished = course_command("-C", root, "similar", NAME)
    assert finished.returncode == 0 and finished.stderr == ""
    (first, *_) = rows_of(finished)
    assert first[1] == {"s1", "s2"} and "comments: “my grandmother keeps" in first[2]


BROKEN = {
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:1000]), "not a complete notebook"),
    "empty": (lambda path: path.write_bytes(b""), "the file is empty"),
    "gone": (lambda path: path.unlink(), "No such file or directory"),
    "a list": (lambda path: path.write_text("[1, 2]"), "the file is not a notebook"),
    "a link": (
        lambda path: (path.unlink(), path.symlink_to("/etc/hostname")),
        "the file is not a regular file",
    ),
    "deep": (lambda path: path.write_text("[" * 100_000), "too deeply nested"),
}


def test_an_unreadable_submission_is_one_line_and_stops_no_other(small_class, course_command):
    root, submit, _ = small_class
    submit("s0", explain_cnn=TEXT)
    submit("s7", explain_cnn=TEXT)
    for student, (damage, _) in zip(
        ("s1", "s2", "s3", "s4", "s5", "s6"), BROKEN.values(), strict=True
    ):
        damage(root / "submitted" / student / NAME / FILE)
    finished = course_command("-C", root, "similar", NAME)
    assert finished.returncode == 1 and finished.stderr == ""
    for student, (_, reason) in zip(
        ("s1", "s2", "s3", "s4", "s5", "s6"), BROKEN.values(), strict=True
    ):
        (line,) = re.findall(rf"^ +\S*submitted/{student}/.*$", finished.stdout, re.M)
        assert reason in line and line.endswith("ask for a new copy.")
    (first, *_) = rows_of(finished)
    assert first[1] == {"s0", "s7"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["similar", "02-mnist"], "there is nothing in "),
        (["similar"], "there is nothing in "),
    ],
)
def test_an_error_is_one_sentence(tmp_path, course_command, arguments, sentence):
    finished = course_command("-C", create_fixture_class(tmp_path, NAME, names=()), *arguments)
    assert finished.returncode == 1 and finished.stdout == ""
    (line,) = finished.stderr.splitlines()
    assert line.startswith("course: ") and sentence in line


def test_neither_keras_nor_a_kernel_is_started(small_class):
    root, _, _ = small_class
    program = (
        "import sys; from course.instructor.cli import main; code = main.main(sys.argv[1:]);"
        "print(code, sorted({'keras', 'tensorflow', 'jax'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program, "-C", str(root), "similar", NAME]
    finished = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert finished.stdout.splitlines()[-1] == "0 []"


def put_evidence(root, student, seconds, seed=0, weights=(1.0, 2.0), losses=(2.5, 2.25)):
    """Write a folder of evidence like one that `evidence.save` writes."""
    folder = root / "submitted" / student / "01-small" / "evidence"
    folder.mkdir(parents=True)
    record = {"name": "III", "profile": "cpu", "seed": seed, "backend": "jax", "device": "CPU"}
    record |= {"seconds": seconds, "history": {"loss": list(losses)}}
    (folder / "iii.json").write_text(json.dumps(record), encoding="utf-8")
    np.savez(folder / "iii.npz", weight_0=np.array(weights, dtype=np.float16))


def test_shared_weights_and_curves_are_listed_with_an_explanation(small_course, course_command):
    answer = cell("code", "### BEGIN SOLUTION Say it.\nanswer = 3\n### END SOLUTION", "answer")
    root = small_course(answer)
    write_notebook(root / "release" / "01-small" / "small.ipynb", [answer | {"source": "# here"}])
    submitted = {
        "ada": (60.5,),
        "bob": (71.25,),
        "cy": (80.0, 4, (3.0, 4.0), (1.5, 1.25)),
        "dora": (90.0, 5, (3.0, 4.0), (1.5, 1.0)),
        "eve": (99.5, 0, (5.0, 6.0), (0.5, 0.25)),
        "fay": (99.5, 0, (5.0, 6.0), (0.5, 0.25)),
        "gil": (40.0, 1, (7.0, 8.0), (0.75, 0.5)),
    }
    for number, (student, evidence) in enumerate(submitted.items()):
        path = root / "submitted" / student / "01-small" / "small.ipynb"
        write_notebook(path, [answer | {"source": f"answer = {number}"}])
        put_evidence(root, student, *evidence)
    finished = course_command("-C", root, "similar")
    assert finished.returncode == 0, finished.stderr
    output = finished.stdout
    honest = "(all report cpu, 0, jax, CPU: in that case, honest students can get the same result)"
    assert f"ada, bob: the same weights for III {honest}\n" in output
    assert f"ada, bob: the same learning curves for III {honest}\n" in output
    assert (
        "cy, dora: the same weights for III (although they report cpu, 4, jax, CPU and cpu, 5"
        in output
    )
    assert "eve, fay: the same learning curves for III (and the same duration" in output
    assert "gil" not in output and "cy, dora: the same learning curves" not in output
    page = (root / "build" / "similar" / "01-small.html").read_text(encoding="utf-8")
    assert "eve, fay: the same weights for III" in page
