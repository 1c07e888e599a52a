"""A whole term of a small class, with commands that are killed, and its expected scores."""

import re
import shutil
import sys
from datetime import timedelta
from fractions import Fraction

import pytest

from course.instructor.sandbox import bubblewrap
from tests.benchmarks.term import expected_scores
from tests.benchmarks.term.assignments import COUNTING, LISTS, SIZES
from tests.benchmarks.term.comparison import compare
from tests.benchmarks.term.example_class import (
    HELPER,
    MIN_STUDENTS,
    ExampleClass,
    Student,
    Upload,
    draw_class,
    due_time,
)
from tests.benchmarks.term.steps import Term
from tests.conftest import run_command

SEED, KILLS = 1, 3
ALL_ITEMS = "- A reason (+1)\n- An example (+0.5)\n- A rule (+0.5)"
RIGHT = {
    assignment.name: {each.answer: next(iter(each.choices)) for each in assignment.questions}
    for assignment in (COUNTING, LISTS, SIZES)
}


@pytest.mark.slow
def test_after_a_term_with_killed_commands_every_score_is_right_and_nothing_is_lost(tmp_path):
    if problem := bubblewrap.isolation_problem():
        pytest.skip(problem)
    folder = tmp_path / "term"
    options = ["--short", "--students", MIN_STUDENTS, "--kills", KILLS, "--seed", SEED]
    program = [sys.executable, "-m", "tests.benchmarks.term"]
    done = run_command(*program, *options, "--keep", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (summary,) = re.findall(r"^\d+ students, .*", done.stdout, re.M)
    assert f", {KILLS} kills survived, " in summary and summary.endswith(" 0 problems")
    assert int(re.search(r"(\d+) scores compared", summary)[1]) > 100

    # The same comparison finds each of these.
    example = draw_class(MIN_STUDENTS, SEED)
    term = Term(folder / "course", folder / "downloads", example)
    renamed = example.role("new_id")
    renamed.id = renamed.new_id
    for upload in example.uploads:
        upload.write(term.root)
    before = set(compare(term).problems)
    assert not any(" in 01-counting" in each for each in before)
    scores = term.downloads / "scores.csv"
    student = next(iter((term.root / "submitted").glob("*/01-counting"))).parent.name
    row = re.compile(rf"^(01-counting,.*,{student},.*,)([\d.]+)(,7)$", re.M)
    text, count = row.subn(r"\g<1>6.99\3", scores.read_text(encoding="utf-8"))
    assert count == 1
    scores.write_text(text, encoding="utf-8")
    shutil.rmtree(term.root / "feedback" / student / "01-counting")
    (term.root / "submitted" / student / "01-counting" / "counting.ipynb").write_text("{}")
    (term.root / "submitted" / ".lists.part").write_text("")
    helper = next((term.root / "submitted").glob(f"*/02-lists/{HELPER}"))
    helper.write_text("")
    new = "\n".join(sorted(set(compare(term).problems) - before))
    assert f"scores.csv, {student} in 01-counting: '6.99' instead of " in new
    assert f"the feedback pages: [('{student}', '01-counting')] missing" in new
    assert f"the submission of {student} 01-counting is not the newest upload" in new
    assert "submitted/.lists.part is left" in new
    assert f"the helper files of {helper.parts[-3]} 02-lists: " in new


def upload_of(student, assignment, late, mark, answers=(), text="Because.", **options):
    time = due_time(assignment) + late
    given = RIGHT[assignment.name] | dict(answers)
    return Upload(student, assignment, "exchange", time, 0, given, text, Fraction(mark), **options)


def test_the_expected_scores_follow_the_rules():
    ada, bob = Student("ada", "Ada Lovelace", 1), Student("bob", "Bob Ross", 2)
    minute, day = timedelta(minutes=1), timedelta(days=1)
    wrong = {"longest": "def longest(words):\n    return words[0]"}
    uploads = [
        upload_of(ada, COUNTING, -day, 1, {"estimate_length": "estimate = 18"}, comment="Good."),
        # The text of the newer attempt is not the same, but its score is confirmed.
        upload_of(ada, COUNTING, day + 15 * minute, 2, text="Because?", keeps_mark=True),
        upload_of(ada, LISTS, day + 16 * minute, 3, wrong),
        upload_of(bob, COUNTING, 7 * day, 2),
        upload_of(bob, LISTS, 2 * day, 0, text=""),
        upload_of(bob, SIZES, 2 * day, 2),
    ]
    example = ExampleClass([ada, bob], uploads)
    example.extensions["03-sizes", bob] = due_time(SIZES) + day
    found = {
        (student.id, name): (sum(score.cells.values()), score.penalty, score.comment)
        for (student, name), score in expected_scores.class_scores(example).items()
    }
    assert found == {
        # This answer is marked with items of the rubric, which the student reads, too.
        ("ada", "01-counting"): (6, Fraction("0.6"), "- A reason (+1)\n\nGood."),
        ("ada", "02-lists"): (5, 1, ""),
        ("bob", "01-counting"): (7, Fraction("2.8"), ALL_ITEMS),
        ("bob", "02-lists"): (4, Fraction("0.8"), ""),
        ("bob", "03-sizes"): (9, Fraction("0.9"), ""),
    }
    # 77.1, 57.1, and 0%, of which the last one does not count; 60, 45.7, and 90% with weight 2.
    totals = expected_scores.totals(example)
    assert totals[ada] == {100 * (Fraction(54, 70) + Fraction(4, 7)) / 2}
    assert totals[bob] == {100 * (Fraction(42, 70) + 2 * Fraction(9, 10)) / 3}
