"""`course leaderboard`: honest evidence is ranked, and forged evidence is shown with its reason."""

import csv
import html
import json
import os
import re
import shutil
import stat
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import course
from course import evidence, experiments
from course.errors import CourseError
from course.evidence import format as evidence_format
from course.instructor import evidence_measurement
from course.instructor.evidence_measurement import MeasuredEvidence
from course.instructor.gradebook.group_submissions import Group, GroupSubmissions
from course.instructor.leaderboard import display_names, ranking, writer
from tests.conftest import cell

NAME = "01-small"
IMPORTS = """
import keras
import numpy as np
from keras import layers
from course.errors import CourseError
"""
# Three symmetric patterns under noise: uint8 images, one-hot labels, and a budget per device.
IMAGES = """
random = np.random.default_rng(run.choose(smoke=0, cpu=1, gpu=1))
patterns = random.normal(size=(3, 8, 8, 3))
patterns += patterns[:, :, ::-1]

def draw(count):
    classes = np.arange(count) % 3
    values = 128 + 40 * (0.08 * patterns[classes] + random.normal(size=(count, 8, 8, 3)))
    return values.clip(0, 255).astype("uint8"), np.eye(3, dtype="float32")[classes]

x_train, y_train = draw(600)
x_val, y_val = draw(300)
x_test, y_test = draw(300)
budget = {"cpu": 600, "gpu": 60}
"""
BUILDER = """
def build_network(specification):
    network = keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 127.5, -1)])
    network.add(layers.Flatten())
    for units in specification["units"]:
        network.add(layers.Dense(units, activation="relu"))
    network.add(layers.Dense(3, activation="softmax"))
    network.compile(keras.optimizers.Adam(0.003), "categorical_crossentropy", metrics=["accuracy"])
    return network
"""
CHECK = """
def check_configuration(specification):
    units = specification.get("units")
    if type(units) is not list or not all(type(each) is int and 1 <= each <= 64 for each in units):
        raise CourseError("units must be a list of integers from 1 to 64.")
"""
CELLS = {"images": IMAGES, "builder": BUILDER, "check": CHECK}
HOSTILE = "<script>alert('Ada')</script>"


def source_cells(**changed):
    cells = CELLS | changed
    tagged = [cell("code", source, tags=["evidence"]) for source in cells.values() if source]
    return [cell("code", IMPORTS), *tagged]


def train(folder, name, units, device="CPU", seed=0, on_test_images=False):
    """Train a network as a student does, and save its evidence in a folder."""
    import keras

    run = course.Run(device.lower(), seed, "tensorflow", device)
    names = {"run": run}
    for source in (IMPORTS, *CELLS.values()):
        exec(source, names)
    specification = {"name": name, "units": units}
    names["check_configuration"](specification)
    split = "test" if on_test_images else "train"
    folder.mkdir()
    previous = Path.cwd()
    os.chdir(folder)
    try:
        keras.utils.set_random_seed(seed)
        trained = experiments.train_each(
            run,
            [specification],
            names["build_network"],
            (names[f"x_{split}"], names[f"y_{split}"]),
            (names["x_val"], names["y_val"]),
            epochs=12 if on_test_images else 3,
            batch_size=20,
        )
        evidence.save(run, trained, name)
    finally:
        os.chdir(previous)
    return folder / "evidence"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The evidence of real training runs, by name."""
    root = tmp_path_factory.mktemp("trained")
    return {
        "wide": train(root / "wide", HOSTILE, [64]),
        "deep": train(root / "deep", "Ada's network", [16, 16]),
        "narrow": train(root / "narrow", "narrow", [4], seed=1),
        "gpu": train(root / "gpu", "=1+1", [32], "GPU"),
        "cheat": train(root / "cheat", "cheat", [64], on_test_images=True),
    }


def edit(folder, new_key=True, **changes):
    """Change fields of a record; the key is computed again, as a skilled student can."""
    (path,) = folder.glob("*.json")
    record = json.loads(path.read_text())
    record |= changes
    if new_key:
        with np.load(path.with_suffix(".npz")) as weights:
            halves = [weights[name] for name in weights.files]
        record["key"] = evidence_format.record_key(record, halves)
    path.write_text(json.dumps(record))
    return record


def exaggerate(folder):
    (path,) = folder.glob("*.json")
    record = json.loads(path.read_text())
    claimed = float(np.float32(round(min(1, record["validation_accuracy"] + 0.2) * 300) / 300))
    history = record["history"]
    history["val_accuracy"][-1] = claimed
    edit(folder, validation_accuracy=claimed, history=history)


def replace_weights(weights_of, new_key):
    def change(folder):
        (target,), (source,) = folder.glob("*.npz"), weights_of.glob("*.npz")
        shutil.copy(source, target)
        edit(folder, new_key)

    return change


def forgeries(trained):
    """Map students to the evidence that they start from, the change, and the reason on the page."""
    return {
        "accuracy-edited": ("deep", exaggerate, "Its validation accuracy is "),
        "other-network": (
            "deep",
            replace_weights(trained["narrow"], new_key=True),
            evidence_measurement.WRONG_WEIGHTS,
        ),
        "other-student": (
            "deep",
            replace_weights(trained["wide"], new_key=False),
            f"{evidence_measurement.WRONG_WEIGHTS} {evidence_measurement.WRONG_KEY}",
        ),
        "seconds-edited": (
            "narrow",
            lambda folder: edit(folder, new_key=False, seconds=1.5),
            evidence_measurement.WRONG_KEY,
        ),
        "not-allowed": (
            "deep",
            lambda folder: edit(folder, specification={"name": "Ada's network", "units": [65, 16]}),
            evidence_measurement.NOT_ALLOWED,
        ),
        "test-images": ("cheat", lambda folder: None, "which suggests training on test images."),
        "smoke": (
            "deep",
            lambda folder: edit(folder, profile="smoke"),
            evidence_measurement.SMOKE_PROFILE,
        ),
    }


def submit(root, student, folder, change=lambda folder: None):
    target = root / "submitted" / student / NAME / "evidence"
    shutil.copytree(folder, target)
    change(target)


class Page(HTMLParser):
    """The rows of a leaderboard's tables, with the heading above each, and the tags in the page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self._texts, self._heading, self._in_heading = [], [], None, "", False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self._in_heading = tag == "h2"
        if tag == "tr":
            self._texts = []
        elif tag in ("td", "th") and self._texts is not None:
            self._texts.append("")

    def handle_endtag(self, tag):
        if tag == "tr":
            self.rows.append((self._heading, [text.strip() for text in self._texts]))
            self._texts = None
        self._in_heading = False

    def handle_data(self, data):
        if self._in_heading:
            self._heading = data
        elif self._texts:
            self._texts[-1] += data


@pytest.fixture(scope="module")
def class_root(trained, tmp_path_factory):
    """A class with honest and forged evidence, whose roster has hostile names."""
    from tests.conftest import small_course

    root = tmp_path_factory.mktemp("class")
    small_course.__wrapped__(root)(*source_cells())
    submit(root, "ada", trained["wide"])
    submit(root, "bob", trained["deep"])
    submit(root, "cyd", trained["narrow"])
    submit(root, "dan", trained["gpu"])
    submit(root, "over", trained["gpu"], lambda folder: edit(folder, seconds=61.0, seed=5))
    submit(root, "copied", trained["narrow"])
    for student, (start, change, _) in forgeries(trained).items():
        submit(root, student, trained[start], change)
    (root / "submitted" / "nothing" / NAME).mkdir(parents=True)
    rows = [f'ada,"{HOSTILE}"', 'bob,"=HYPERLINK(""http://example.org"")"', "cyd,Çelebi Yıldız"]
    rows += ["dan,Same Name", "over,Same Name"]
    (root / "roster.csv").write_text("\n".join(["student,name", *rows]), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def finished(class_root, course_command):
    return course_command("-C", class_root, "leaderboard")


def files_of(root):
    folder = root / "build" / "leaderboard" / NAME
    page, table = (folder / name for name in ("index.html", "leaderboard.csv"))
    with table.open(encoding="utf-8", newline="") as file:
        return page.read_text(encoding="utf-8"), list(csv.DictReader(file))


@pytest.mark.slow
def test_honest_evidence_is_ranked_by_measured_accuracy(class_root, finished):
    assert finished.returncode == 1 and "Traceback" not in finished.stderr
    _, rows = files_of(class_root)
    ranked = {
        device: [row for row in rows if row["device"] == device and row["status"] == "ranked"]
        for device in ("CPU", "GPU")
    }
    # The copy and its original share a rank.
    assert sorted(row["rank"] for row in ranked["CPU"])[:2] == ["1", "2"]
    assert len(ranked["CPU"]) == 4 and len(ranked["GPU"]) == 1
    accuracies = [float(row["test_accuracy_with_flips"]) for row in ranked["CPU"]]
    assert accuracies == sorted(accuracies, reverse=True) and accuracies[0] > 0.5
    assert ranked["GPU"][0]["name"] == "Same Name (dan)" and ranked["GPU"][0]["rank"] == "1"
    assert float(ranked["GPU"][0]["budget_used"]) == pytest.approx(
        float(ranked["GPU"][0]["seconds_self_reported"]) / 60, rel=1e-4
    )
    (over,) = (row for row in rows if row["status"] == "over budget")
    assert over["name"] == "Same Name (over)" and over["rank"] == ""
    assert over["notes"].startswith("More than the budget of 60 s.")
    assert {row["backend"] for row in rows} == {"tensorflow"}


@pytest.mark.slow
def test_each_forgery_is_shown_with_its_reason_and_not_ranked(class_root, finished, trained):
    text, rows = files_of(class_root)
    by_name = {row["name"]: row for row in rows}
    page = {texts[1]: texts for _, texts in Page(text).rows if len(texts) == 9}
    for student, (_, _, reason) in forgeries(trained).items():
        row = by_name[student]
        assert row["status"] == "needs review" and row["rank"] == "", student
        assert reason in row["notes"], student
        assert page[student][0] == "–" and page[student][8] == row["notes"], student
    others = "The same weights as copied; other-network; seconds-edited."
    assert by_name["Çelebi Yıldız"]["notes"] == others
    assert "Çelebi Yıldız" in by_name["copied"]["notes"]
    assert "1 student submitted the assignment without evidence." in text
    assert f"{len(rows)} measured, 7 of them flagged for manual review, 1 without evidence" in (
        finished.stdout
    )
    # The terminal has the details.
    assert "units must be a list of integers from 1 to 64" in finished.stdout
    assert "suggests training on test images." in finished.stdout


@pytest.mark.slow
def test_no_name_is_html_or_a_formula(class_root, finished):
    text, rows = files_of(class_root)
    page = Page(text)
    assert not {"script", "img", "a", "iframe", "link"} & set(page.tags)
    assert html.escape(HOSTILE).replace("&#x27;", "&#39;") in text
    cells = [value for row in rows for value in row.values()]
    assert '\'=HYPERLINK("http://example.org")' in cells
    assert not [value for value in cells if value[:1] in ("=", "+", "-", "@")]
    headings = {heading for heading, _ in page.rows}
    assert headings == {"CPU", "GPU"}
    assert "self-reported" in text and "http" not in text.replace(
        "=HYPERLINK(&#34;http://example.org&#34;)", ""
    ).replace("http-equiv", "")


@pytest.mark.slow
def test_pseudonyms_hide_everybody_and_stay_the_same(class_root, finished, course_command, trained):
    with_names, _ = files_of(class_root)
    ended = course_command("-C", class_root, "leaderboard", NAME, "--pseudonyms")
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    text, rows = files_of(class_root)
    identifying = {path.name for path in (class_root / "submitted").iterdir()}
    identifying -= {"over", "smoke"}  # words of the page; the CSV shows that they are no names
    identifying |= {"script>", "Ada", "HYPERLINK", "Çelebi", "Same Name", "narrow", "=1+1"}
    content = html.unescape(text) + json.dumps(rows, ensure_ascii=False)
    assert [each for each in sorted(identifying) if each in content] == []
    assert all(re.fullmatch(r"[A-Z][a-z]+ [A-Z][a-z]+ \d{1,9}", row["name"]) for row in rows)
    assert len({row["name"] for row in rows}) == len(rows)
    assert "test-images" in ended.stdout and rows[0]["name"] in ended.stdout  # for the instructor
    students = [path.name for path in (class_root / "submitted").iterdir()]
    again = display_names.pseudonyms(class_root, students)
    assert {row["name"] for row in rows} <= set(again.values())
    assert again["ada"] == display_names.pseudonyms(class_root, ["ada"])["ada"]
    key = class_root / display_names.KEY_FILE_NAME
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert key.read_text().strip() not in content
    key.rename(key.with_suffix(".other"))
    assert display_names.pseudonyms(class_root, students) != again
    key.write_text("damaged")
    damaged = course_command("-C", class_root, "leaderboard", "--pseudonyms")
    assert damaged.returncode == 1
    assert "pseudonyms.key is damaged: restore it from a backup" in damaged.stderr
    assert "Traceback" not in damaged.stderr
    assert files_of(class_root)[0] == text, "the earlier page is unchanged"
    assert with_names != text


@pytest.mark.slow
def test_a_group_has_one_entry_with_the_names_of_its_members(tmp_path, course_command, trained):
    from tests.conftest import small_course

    small_course.__wrapped__(tmp_path)(*source_cells())
    (tmp_path / "roster.csv").write_text("student,name\nada,Ada\nbob,Bob\ncy,Cy\ndan,Dan\n")
    (tmp_path / "groups.csv").write_text("group,student\n=red,ada\n=red,bob\n=red,cy\n")
    submit(tmp_path, "ada", trained["narrow"])
    submit(tmp_path, "bob", trained["deep"])
    submit(tmp_path, "dan", trained["wide"])
    for student, day in (("ada", 1), ("bob", 2)):
        path = tmp_path / "submitted" / student / NAME / "timestamp.txt"
        path.write_text(f"2026-03-0{day} 12:00:00 UTC")
    done = course_command("-C", tmp_path, "leaderboard")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {row["name"] for row in files_of(tmp_path)[1]} == {"'=red (Ada, Bob, Cy)", "Dan"}
    assert f"{NAME}: 2 measured, 0 of them flagged" in done.stdout


def test_only_the_members_of_one_group_may_share_weights():
    def same(*groups):
        return evidence_measurement.same_weights(
            [
                MeasuredEvidence(student, weights_fingerprint="f", group=group)
                for student, group in zip("abc", groups, strict=False)
            ]
        )

    assert same("red", "red") == []
    assert same("", "") == same("red", "blue") == same("red", "") == [["a", "b"]]
    assert same("red", "red", "") == [["a", "b", "c"]]


def test_the_pseudonym_of_a_group_depends_only_on_its_members(tmp_path):
    def shared(submitter):
        return GroupSubmissions((Group("red", ("ada", "bob"), (submitter,), submitter),))

    names = display_names.pseudonyms(tmp_path, ["ada"], shared("ada"))
    assert names["ada"] == display_names.pseudonyms(tmp_path, ["bob"], shared("bob"))["bob"]
    assert names["ada"] != display_names.pseudonyms(tmp_path, ["ada"])["ada"]


# Specifications with which a student could stop the class, where the check finds nothing wrong.
HOSTILE_SPECIFICATIONS = {
    "huge": {"units": [10**9]},
    "infinite-digits": {"units": [10**4000]},
    "no-units": {"units": None},
    "negative": {"units": [-5]},
    "text": {"units": "12"},
    "nested": {"units": [[[[[[[1]]]]]]]},
    "long": {"units": [1] * 3_000},
    "unicode": {"units": {"\ud800": "\x1b[2J"}},
    "float": {"units": [1e300]},
    "infinite": {"units": [float("inf")]},
    "deep": {"units": json.loads("[" * 500 + "]" * 500)},
}


@pytest.mark.slow
def test_a_hostile_specification_costs_only_its_own_rank(small_course, course_command, trained):
    check = 'def check_configuration(specification):\n    specification["units"]'
    root = small_course(*source_cells(check=check))
    specifications = {
        student: {"name": "Ada's network"} | specification
        for student, specification in HOSTILE_SPECIFICATIONS.items()
    }
    specifications |= {"renamed": {"name": "other", "units": [16, 16]}}
    for student, specification in specifications.items():
        submit(
            root,
            student,
            trained["deep"],
            lambda folder, changed=specification: edit(folder, specification=changed),
        )
    submit(root, "zoe", trained["deep"])
    ended = course_command("-C", root, "leaderboard", NAME)
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    _, rows = files_of(root)
    statuses = {row["name"]: row["status"] for row in rows}
    assert statuses.pop("zoe") == "ranked"
    assert set(statuses.values()) == {"needs review"}
    assert len(statuses) == len(specifications)
    assert 'it is not a dict whose "name" is that of the experiment' in ended.stdout
    assert "its network has more than 4,194,304 parameters" in ended.stdout
    assert all(len(line) < 500 for line in ended.stdout.splitlines())


@pytest.mark.slow
def test_a_network_that_takes_too_long_to_build_is_given_up(small_course, monkeypatch, trained):
    endless = BUILDER.replace(
        'for units in specification["units"]:', "while True:\n        units = 4"
    )
    endless = endless.replace("def build_network", "def build_endless", 1)
    chosen = """
def build_network(specification):
    build = build_endless if specification["units"] == [4] else build_first
    return build(specification)
"""
    first = BUILDER.replace("def build_network", "def build_first", 1)
    root = small_course(*source_cells(builder=first + endless + chosen))
    submit(root, "ada", trained["narrow"])
    submit(root, "bob", trained["deep"])
    monkeypatch.setattr(evidence_measurement, "MAX_BUILD_SECONDS", 2)
    ada, bob = evidence_measurement.measure_evidence(root, NAME)
    assert ada.problems == ["the configuration is not allowed (it takes more than 2 s to process)."]
    assert bob.problems == [] and bob.test_accuracy is not None


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_one_sentence(small_course, course_command, trained):
    root = small_course(*source_cells())
    submit(root, "ada", trained["deep"])
    (root / "build").write_text("in the way")
    ended = course_command("-C", root, "leaderboard", "--budget", "CPU=0.0001")
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    (line,) = (line for line in ended.stderr.splitlines() if line.startswith("course: "))
    assert line.startswith("course: the leaderboard cannot be written (") and line.endswith(".")
    (root / "build").unlink()
    ended = course_command("-C", root, "leaderboard", "--budget", "cpu=0.0001")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (row,) = files_of(root)[1]
    assert (row["status"], row["rank"]) == ("over budget", "")


@pytest.mark.parametrize(
    ("arguments", "cells", "sentence"),
    [
        (["--budget", "CPU"], {}, "--budget CPU is not a device with a number of seconds: write"),
        (["--budget", "TPU=3"], {}, "--budget TPU=3 is not a device"),
        (["--budget", "CPU=nan"], {}, "--budget CPU=nan is not a device"),
        ([], {"images": "x_val = 1"}, "source has no leaderboard: define x_test and y_test in a"),
        ([NAME], {"images": "x_val = 1"}, "01-small has no leaderboard: define x_test"),
        ([], {}, "there is nothing in"),
    ],
)
def test_a_mistake_is_one_sentence(small_course, course_command, arguments, cells, sentence):
    root = small_course(*source_cells(**cells))
    ended = course_command("-C", root, "leaderboard", *arguments)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("course: ") and sentence in line and line.endswith(".")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (IMAGES.replace("x_test, y_test = ", "x_test, _ = "), "do not define y_test: tag the cell"),
        (IMAGES.replace('"gpu": 60', '"gpu": "60"'), "set it to a number of seconds, or to a dict"),
    ],
)
def test_a_source_with_incomplete_names_is_an_error(
    small_course, course_command, trained, images, sentence
):
    root = small_course(*source_cells(images=images))
    submit(root, "ada", trained["deep"])
    ended = course_command("-C", root, "leaderboard", NAME)
    assert ended.returncode == 1 and sentence in ended.stderr
    assert "Traceback" not in ended.stderr


def measured(student, accuracy, seconds=10.0, **values):
    values = {"device": "CPU", "backend": "jax", "parameters": 5, "budget": 20} | values
    return MeasuredEvidence(
        student,
        test_accuracy=accuracy,
        test_accuracy_with_flips=accuracy,
        seconds=seconds,
        **values,
    )


def test_equal_accuracies_share_a_rank_and_no_student_id_decides_the_order(tmp_path):
    submissions = [
        measured("a", 0.8), measured("b", 0.9, 12.0), measured("c", 0.9, 12.0),
        measured("d", 0.9, 11.0), measured("e", 0.95, 20.1), measured("f", 0.7, 20.0),
        measured("g", None, None, problems=["<b>"], reasons=["Unreadable."], device=""),
        measured("h", 0.99, 1e200), MeasuredEvidence("i", is_missing=True),
    ]  # fmt: skip
    names = dict(zip("abcdefghi", "IHGFEDCBA", strict=True))
    board = ranking.rank(NAME, submissions, names, {})
    (table,) = board.tables
    assert [(entry.rank, entry.name) for entry in table.ranked] == [
        (1, "F"), (1, "G"), (1, "H"), (4, "I"), (5, "D"),
    ]  # fmt: skip
    assert [entry.name for entry in table.over_budget] == ["B", "E"]
    assert [entry.name for entry in board.unreadable] == ["C"] and board.without_evidence == 1
    text = writer.write(tmp_path, board).read_text(encoding="utf-8")
    assert "1.0e+200" in text and "<b>C" not in text and "Unreadable." in text
    raised = ranking.rank(NAME, submissions, names, {"CPU": 1e300})
    assert [entry.name for entry in raised.tables[0].over_budget] == []


def test_an_unreadable_pseudonym_key_is_an_error_in_one_sentence(tmp_path):
    key = tmp_path / display_names.KEY_FILE_NAME
    key.mkdir()
    with pytest.raises(CourseError) as caught:
        display_names.pseudonyms(tmp_path, ["ada"])
    assert str(caught.value) == (
        f"the pseudonym key {key} cannot be read or written (Is a directory): solve this problem,"
        " for example by changing the permissions of the file or its folder, or leave out"
        " --pseudonyms."
    )


def test_same_pseudonyms_get_longer_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(display_names, "ADJECTIVES", ("Calm",))
    monkeypatch.setattr(display_names, "ANIMALS", ("Owl",))
    students = [f"student-{number}" for number in range(200)]
    names = display_names.pseudonyms(tmp_path, students)
    assert len(set(names.values())) == 200
    assert any(len(name) > len("Calm Owl 999") for name in names.values())
