import ast
import json
import shutil
import sqlite3
from types import SimpleNamespace

import nbformat
import pytest

from tests import attacks
from tests.attacks import observation
from tests.conftest import BIN, run_command
from tests.instructor.grading.test_class_grader import cell_scores

ATTACKS = attacks.attacks()
POINTS = {each["grade_id"]: each["points"] for each in attacks.TARGET["cell"] if "points" in each}
EARNED_HONESTLY = {"test_table": 1}  # by the wrong answer
AUTOMATIC = [name for name in POINTS if name.startswith("test_")]
# Small, so that attacks on them take only seconds.
LIMITS = """
c.ExecuteIsolated.cell_seconds = 6
c.ExecuteIsolated.notebook_seconds = 40
c.ExecuteIsolated.call_seconds = 4
c.ExecuteIsolated.memory_mb = 3000
c.ExecuteIsolated.processes = 64
c.ExecuteIsolated.disk_mb = 64
c.ExecuteIsolated.output_kb = 256
"""
LARGEST_FILE = 3_000_000  # bytes that an attack may leave in a graded notebook or a page
# Their scores in stock nbgrader are known by trial: they show that the attacks work.
DECEIVE_STOCK = ["input-transformer", "skip-tags"]


def test_every_attack_can_be_submitted(tmp_path):
    attacks.create_course(tmp_path)
    tests = {name for name in ATTACKS if (tmp_path / "submitted" / name).is_dir()}
    assert tests == set(ATTACKS)
    for name, attack in ATTACKS.items():
        path = tmp_path / "submitted" / name / attacks.ASSIGNMENT / attacks.FILE_NAME
        notebook = json.loads(path.read_text(encoding="utf-8"))
        assert attack["about"].endswith("."), name
        # Attacks of the kind "cells" are invalid notebooks on purpose.
        if attack["kind"] != "cells":
            nbformat.validate(notebook)
            for each in notebook["cells"]:
                # The generated text of a payload is no plain Python on purpose.
                if each["cell_type"] == "code" and attacks.FILE_NAME not in attack.get(
                    "payloads", ()
                ):
                    ast.parse(each["source"], filename=name)


def test_every_secret_is_in_a_hidden_test_and_nowhere_else():
    for name, attack in ATTACKS.items():
        for secret in attacks.SECRETS:
            assert secret not in json.dumps(attack), name
    hidden, visible = [], []
    for each in attacks.TARGET["cell"]:
        before, _, after = each["source"].partition("### BEGIN HIDDEN TESTS")
        visible += [before, each.get("wrong", "")]
        hidden.append(after)
    for secret in attacks.SECRETS:
        assert secret in "".join(hidden) and secret not in "".join(visible)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    """Grade the whole class once, write its feedback, and return the observations."""
    root = tmp_path_factory.mktemp("attacked")
    with observation.listeners() as reached, observation.descendants() as kill_remaining:
        attacks.create_course(root, port=str(reached.port), socket=reached.name)
        with (root / "nbgrader_config.py").open("a", encoding="utf-8") as config:
            config.write(LIMITS)
        assert run_command(BIN / "course", "-C", root, "release").returncode == 0
        before = observation.fingerprint(root)
        # More than there are cores: many attacks only wait for a time limit.
        graded = observation.run_and_capture(BIN / "course", "-C", root, "grade", "--workers", "6")
        survivors = kill_remaining()
        after = observation.fingerprint(root)
        pages = observation.run_and_capture(BIN / "course", "-C", root, "feedback")
        survivors += kill_remaining()
    return SimpleNamespace(
        root=root,
        terminal=graded + pages,
        before=before,
        after=after,
        survivors=survivors,
        reached=reached.connections,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_earns_no_more_than_its_wrong_answer(attacked, name):
    scores = cell_scores(attacked.root, name)
    assert {key: points for key, (_, points) in scores.items()} == POINTS
    for key, (score, _) in scores.items():
        assert (score or 0) <= EARNED_HONESTLY.get(key, 0), key
    unrecorded = [key for key in AUTOMATIC if scores[key][0] is None]
    messages = [line for line in attacked.terminal.splitlines() if f" {name}: " in line]
    assert not unrecorded, f"no score was recorded: {messages}"


@pytest.mark.slow
def test_other_submissions_are_not_affected(attacked):
    assert {key: score for key, (score, _) in cell_scores(attacked.root, "solved").items()} == {
        key: points if key in AUTOMATIC else None for key, points in POINTS.items()
    }
    for name in ("wrong", "neighbour"):
        assert {key: score for key, (score, _) in cell_scores(attacked.root, name).items()} == {
            key: EARNED_HONESTLY.get(key, 0) if key in AUTOMATIC else None for key in POINTS
        }, name


@pytest.mark.slow
@pytest.mark.parametrize("name", ["solved", "wrong", *ATTACKS])
def test_pages_and_outputs_contain_no_secret_and_nothing_forbidden(attacked, name):
    page, outputs = observation.page(attacked.root, name), observation.outputs(attacked.root, name)
    for secret in attacks.SECRETS:
        assert secret not in page
    for text in ATTACKS.get(name, {}).get("forbidden", []):
        assert text not in page
        assert text not in outputs
        assert text not in attacked.terminal
    assert len(page) < LARGEST_FILE
    assert len(outputs) < LARGEST_FILE
    assert not observation.scripts(page)


@pytest.mark.slow
def test_the_terminal_stays_readable(attacked):
    assert "Traceback" not in attacked.terminal
    assert "\x1b]" not in attacked.terminal
    for secret in attacks.SECRETS:
        assert secret not in attacked.terminal
    for name in ATTACKS:
        lines = [line for line in attacked.terminal.splitlines() if f"{name}: " in line]
        assert lines, f"there is no line about {name}"
        assert max(map(len, lines)) < 1_000


@pytest.mark.slow
def test_no_listener_is_reached_and_no_process_remains(attacked):
    assert attacked.reached == []
    assert attacked.survivors == []


@pytest.mark.slow
def test_the_course_is_unchanged(attacked):
    assert attacked.after == attacked.before
    assert not list(attacked.root.rglob(observation.TAKEN_OVER))
    with sqlite3.connect(attacked.root / "gradebook.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        students = {name for (name,) in database.execute("SELECT id FROM student")}
        manual = database.execute("SELECT count(*) FROM grade WHERE manual_score IS NOT NULL")
        assert manual.fetchone() == (0,)
    assert students == {"solved", "wrong", *ATTACKS}


@pytest.mark.slow
@pytest.mark.browser
def test_no_script_runs_in_a_browser(attacked):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sqlite3.connect(attacked.root / "gradebook.db") as database:
        submissions = dict(
            database.execute(
                "SELECT student_id, notebook.id FROM submitted_notebook AS notebook"
                " JOIN submitted_assignment AS submitted ON submitted.id = notebook.assignment_id"
            )
        )
    names = [name for name, attack in ATTACKS.items() if attack["kind"] == "outputs"]
    with (
        observation.formgrader(attacked.root) as formgrader,
        sync_api.sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        for name in names:
            feedback = observation.page_path(attacked.root, name).as_uri()
            for address in (feedback, f"{formgrader}/submissions/{submissions[name]}/"):
                page = browser.new_page()
                page.goto(address)
                page.wait_for_timeout(500)
                assert page.get_by_text("def double").count(), f"{address} shows no notebook"
                assert page.title() != observation.TAKEN_OVER, (name, address)
                page.close()
        browser.close()


@pytest.mark.slow
def test_the_attacks_do_deceive_stock_nbgrader(tmp_path):
    attacks.create_course(tmp_path, names=DECEIVE_STOCK)
    config = tmp_path / "nbgrader_config.py"
    prefixes = ("import ", "from ", "c = ", "os.environ", "c.CourseDirectory.course_id")
    lines = [line for line in config.read_text().splitlines() if line.startswith(prefixes)]
    config.write_text("\n".join(lines), encoding="utf-8")
    for command in ("generate_assignment", "autograde"):
        done = run_command(BIN / "nbgrader", command, attacks.ASSIGNMENT, "--create", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    for name in DECEIVE_STOCK:
        scores = cell_scores(tmp_path, name)
        assert sum(score or 0 for score, _ in scores.values()) == ATTACKS[name]["stock"]
