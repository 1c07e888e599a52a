from course.instructor.gradebook.submission_results import SubmissionResult
from course.instructor.grading.progress import Progress


def grade(student, score=1.0, seconds=1.5, note="graded", failed=False, name="02-mnist", **more):
    return SubmissionResult(name, student, score, 20.0, False, seconds, note, failed, **more)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_a_line_shows_the_count_and_the_remaining_time():
    clock = Clock()
    progress = Progress(clock)
    progress.expect(12)
    before = progress.record(grade("ada", 17, 0.0, "already graded"))
    assert before.split() == ["1/12", "02-mnist", "17/20", "0.0", "s", "ada:", "already", "graded"]
    # The estimate leaves out the start-up, which is over when the first submission is graded.
    clock.now += 30
    assert "left" not in progress.record(grade("bob"))
    clock.now += 2
    assert progress.record(grade("cem", 12.5)).split()[:6] == [
        "3/12",
        "18",
        "s",
        "left",
        "02-mnist",
        "12.5/20",
    ]
    clock.now += 4
    assert "  24 s left  " in progress.record(grade("dan"))
    progress.expect(100)
    clock.now += 6
    # 107 submissions at 4 seconds each.
    assert "  7 min left  " in progress.record(grade("eve"))


def test_the_last_line_and_one_without_points_are_aligned():
    progress = Progress(Clock())
    progress.expect(3)
    lines = [
        progress.record(grade("ada")),
        progress.record(
            grade("bob", None, 0.0, "was not graded (x): run the command again.", failed=True)
        ),
        progress.record(SubmissionResult("02-mnist", "cem", 3.5, 20, True, 100.0)),
    ]
    assert [line.index("02-mnist") for line in lines] == [lines[0].index("02-mnist")] * 3
    assert [line.index(" s  ") for line in lines] == [lines[0].index(" s  ")] * 3
    assert lines[1].endswith("bob: was not graded (x): run the command again.")
    assert "left" not in lines[2] and lines[2].endswith("cem: graded, pending manual grading")


def test_the_summary_counts_each_assignment():
    clock = Clock()
    progress = Progress(clock)
    progress.expect(5)
    for each in [
        grade("ada", 17),
        grade("bob", 4, note="already graded, with older tests"),
        grade("cem", 0, note="cem.ipynb is missing: ask.", failed=True),
        grade("dan", None, note="was not graded (x): run the command again.", failed=True),
        SubmissionResult("03-cifar", "ada", 2.5, 10, True),
    ]:
        progress.record(each)
    clock.now += 30
    head, rule, mnist, cifar, failed, older, total = progress.summary().splitlines()
    assert (
        " ".join(head.split())
        == "assignment graded failed pending manual mean points lowest highest"
    )
    assert set(rule) == {"-"}
    assert mnist.split() == ["02-mnist", "2", "2", "0", "7.0", "0", "17"]
    assert cifar.split() == ["03-cifar", "1", "0", "1", "2.5", "2.5", "2.5"]
    assert failed == "failed in 02-mnist: cem, dan"
    assert older == (
        "1 of 4 submissions for 02-mnist were graded with older tests: to grade them again, run"
        " course grade 02-mnist --outdated."
    )
    assert total == "4 graded in 30.0 s, 8 per minute"


def test_a_long_list_of_failed_submissions_is_cut():
    clock = Clock()
    progress = Progress(clock)
    progress.expect(80)
    for number in range(80):
        clock.now += 1
        progress.record(grade(f"student-{number}", None, failed=True))
    (line,) = (each for each in progress.summary().splitlines() if each.startswith("failed"))
    assert line.endswith(", student-48, student-49, and 30 more")


def test_a_file_name_in_a_note_makes_no_line_of_its_own():
    """The names of files that were copied to submitted/ can contain line breaks."""
    progress = Progress()
    progress.expect(1)
    for lines in ("\n", "\r\n", "\x0b", "\u2028"):
        note = f"there is no small.ipynb, but x{lines}  2/2  01-small  0/3  0.9 s  bob: graded"
        line = progress.record(SubmissionResult("01-small", "eve", note=note, failed=True))
        assert len(line.splitlines()) == 1
