"""The server of the marking page: who may use it, what it sends, and what a kill leaves."""

import http.client
import itertools
import json
import random
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from html.parser import HTMLParser

import pytest

from course.instructor.course_dir import open_api
from tests.instructor.marking.conftest import (
    ANSWERS,
    NAME,
    give,
    mark,
    opened,
    question_of,
    run,
    states_of,
    stored,
    submit_graded,
)
from tests.instructor.marking.marking_server import marking_server
from tests.instructor.sandbox import wait_until

PLAIN = mark(adjustment=1, comment="")
HOSTILE = {
    "script": "*grows* <script>document.title='taken over'</script>",
    "handler": '*grows* <img src=x onerror="document.title=1"><b onclick="a()">b</b>',
    "remote": "*grows* ![x](https://example.org/seen.png) <img src='https://example.org/a.png'>",
    "style": "*grows* <style>@import url('https://example.org/a.css'); p {color: red}</style>",
    "overlay": "*grows* <div style='position:fixed;inset:0' id='panel' class='note'>Full</div>",
    "form": "*grows* <form action='/api/mark'><button>Confirm (y)</button><input name=a></form>",
    "link": "*grows* [x](javascript:alert(1)) <a href='/api/mark'>y</a> <iframe src='/'></iframe>",
    "bidi": "*grows* \u202e\u2066 abc \u202e " + "\u0301" * 500,
    "huge": "*grows* " + "word [a](b) " * 8_000,
    "nested": "*grows* " + "> " * 5_000 + "x",
    "svg": "*grows* <svg><a xlink:href='x'><animate/></a></svg><math><mi//xlink:href='x'>",
    "template": "*grows* {{ 7 * 7 }} {% raw %} </template></script><base href='https://a.org/'>",
}
ACTIVE_TAGS = {"script", "style", "iframe", "form", "input", "button", "svg", "base", "object"}


@pytest.fixture(scope="module")
def hostile_root(class_template, tmp_path_factory):
    root = shutil.copytree(class_template, tmp_path_factory.mktemp("hostile") / "course")
    with open_api(root).gradebook as gradebook:
        for student, text in HOSTILE.items():
            submit_graded(root, gradebook, student, {"explain": text})
        gradebook.update_or_create_student("script", first_name="<script>alert(1)</script>")
        gradebook.db.commit()
    return root


@pytest.fixture(scope="module")
def server(hostile_root):
    with marking_server(hostile_root, "--names") as found:
        yield found


class _Tags(HTMLParser):
    """Collects the tags of a text, and their attributes."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes = set(), []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += attributes


def test_a_hostile_answer_has_nothing_active(server, hostile_root):
    found = server.question()
    shown = {}
    for answer in found["answers"]:
        if answer["html"] is None:
            status, content = server.call(
                "answer", question=found["question"]["key"], answer=answer["id"]
            )
            assert status == 200
            answer["html"] = content["html"]
        shown[answer["id"]] = answer["html"]
    assert sum("grows" in html for html in shown.values()) == len(HOSTILE)
    for html in shown.values():
        tags = _Tags(html)
        assert not tags.tags & ACTIVE_TAGS, html[:500]
        for name, value in tags.attributes:
            assert name not in ("style", "id", "href", "action"), html[:500]
            assert not name.startswith("on"), html[:500]
            assert name != "src" or value.startswith("data:image/")
        assert len(html) < 1_000_000
    names = [answer["name"] for answer in found["answers"]]
    assert "<script>alert(1)</script> Example (script)" in names


def test_the_page_has_a_strict_policy_and_no_text_of_a_student(server):
    for path in ("/", "/marking.js", "/marking.css"):
        response, text = server.send("GET", path)
        assert response.status == 200, path
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy and "form-action 'none'" in policy
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert "grows" not in text and "Example" not in text
    page = _Tags(server.send("GET", "/")[1])
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "style"]


def test_the_token_sets_a_cookie_that_scripts_and_other_sites_cannot_use(server):
    response, _ = server.send("GET", f"/?token={server.token}", Cookie=None)
    cookie = response.headers["Set-Cookie"]
    assert response.status == 200 and "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert server.token not in cookie


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/", {"Cookie": None}, 403),
        ("GET", "/?token=wrong", {"Cookie": None}, 403),
        ("GET", "/marking.js", {"Cookie": None}, 403),
        ("GET", "/", {"Host": "example.org"}, 403),
        ("GET", "/", {"Host": "127.0.0.1"}, 403),
        ("GET", "/", {"Origin": "https://example.org"}, 403),
        ("GET", "/api/overview", {}, 405),
        ("GET", "/gradebook.db", {}, 404),
        ("GET", "/../gradebook.db", {}, 404),
        ("PUT", "/api/overview", {"Origin": "http://127.0.0.1:{port}"}, 405),
        ("POST", "/api/overview", {"Cookie": None}, 403),
        ("POST", "/api/overview", {"Cookie": "course-mark-{port}=wrong"}, 403),
        ("POST", "/api/overview", {"Origin": None}, 403),
        ("POST", "/api/overview", {"Origin": "null"}, 403),
        ("POST", "/api/overview", {"Origin": "http://127.0.0.1:1"}, 403),
        ("POST", "/api/overview", {"Host": "evil.org:{port}", "Origin": "http://evil.org"}, 403),
        ("POST", "/api/overview", {"Sec_Fetch_Site": "cross-site"}, 403),
        ("POST", "/api/overview", {"Content_Type": "text/plain"}, 400),
        ("POST", "/api/unknown", {}, 400),
    ],
)
def test_a_request_from_elsewhere_is_refused(server, method, path, headers, status):
    headers = {name: value and value.format(port=server.port) for name, value in headers.items()}
    response, text = server.send(method, path, "{}" if method == "POST" else None, **headers)
    assert response.status == status, text
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert "Example" not in text


@pytest.mark.parametrize("body", ["", "[]", "{", '{"question": 1}', "[" * 100_000])
def test_a_body_that_is_not_a_request_is_refused(server, body):
    response, text = server.send("POST", "/api/question", body)
    assert response.status == 400, text


def test_names_are_shown_only_if_they_are_requested(root):
    with marking_server(root) as server:
        found = server.question()
        assert {answer["name"] for answer in found["answers"]} == {""}
        text = json.dumps([found, server.call("overview")])
        assert not any(f'"{student}"' in text for student in ANSWERS) and "Example" not in text
        assert sorted(answer["number"] for answer in found["answers"]) == [1, 2, 3, 4, 5]
        assert found["question"]["model"] == "<p>The model answer of explain.</p>\n"
        answer = found["answers"][0]
        _, outputs = server.call("outputs", question=found["question"]["key"], answer=answer["id"])
        assert "figure of" in outputs["html"] and 'alt="&lt;Figure size 1x1&gt;"' in outputs["html"]
        large = {"question": found["question"]["key"], "versions": {"x": "y"}, "mark": PLAIN}
        assert server.call("mark", **large, grader="Grace")[0] == 409


def send_mark(server, question, answer, **changes):
    content = {
        "question": question["key"],
        "versions": {answer["id"]: answer["version"]},
        "mark": PLAIN,
        "grader": "Grace",
    }
    return server.call("mark", **content | changes)


def test_a_conflict_is_answered_with_the_present_state_and_nothing_is_written(root):
    with marking_server(root) as server:
        found = server.question()
        question, (answer, other, *_) = found["question"], found["answers"]
        status, content = send_mark(server, question, answer)
        assert status == 200 and content["answers"][0]["score"] == 1
        status, content = send_mark(
            server, question, answer, mark=mark(adjustment=2), grader="Hopper"
        )
        assert status == 409 and "has changed since" in content["error"]
        assert content["answers"][0]["score"] == 1 and content["answers"][0]["grader"] == "Grace"
        versions = {answer["id"]: answer["version"], other["id"]: other["version"]}
        assert send_mark(server, question, answer, versions=versions)[0] == 409
        status, content = send_mark(server, question, other, grader="")
        assert status == 400 and content["error"].startswith("enter your name")
        assert send_mark(server, question, other, versions={})[0] == 400
        assert send_mark(server, question, other, versions=[])[0] == 400
        assert send_mark(server, question, other, mark=None)[0] == 400
    assert sorted(str(score) for score, _, _ in stored(root).values()) == ["1.0"] + ["None"] * 4


@pytest.mark.slow
def test_a_locked_gradebook_is_an_error_and_nothing_is_saved(root):
    with marking_server(root) as server:
        found = server.question()
        with sqlite3.connect(root / "gradebook.db", isolation_level=None) as database:
            database.execute("BEGIN EXCLUSIVE")
            status, content = send_mark(server, found["question"], found["answers"][0])
            assert status == 503 and "nothing was saved" in content["error"]
            database.execute("ROLLBACK")
        assert send_mark(server, found["question"], found["answers"][0])[0] == 200


def test_two_graders_at_once_lose_nothing(root):
    with marking_server(root) as first, marking_server(root) as second:
        found = first.question()
        question, answers = found["question"], found["answers"]
        written = {}

        def work(server, grader):
            versions = {each["id"]: each["version"] for each in answers}
            for step in range(20):
                key = answers[step % len(answers)]["id"]
                request = mark(adjustment=1, comment=f"{grader} {step}")
                status, content = server.call(
                    "mark", question=question["key"], versions={key: versions[key]},
                    mark=request, grader=grader,
                )  # fmt: skip
                assert status in (200, 409), content
                (state,) = content["answers"]
                versions[key] = state["version"]
                if status == 200:
                    written.setdefault(key, []).append(state["comment"])

        threads = [
            threading.Thread(target=work, args=pair)
            for pair in [(first, "Grace"), (second, "Hopper")]
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with sqlite3.connect(root / "gradebook.db") as database:
            rows = database.execute("SELECT grade_id, version, comment FROM course_mark").fetchall()
        assert {key: version for key, version, _ in rows} == {
            key: len(comments) for key, comments in written.items()
        }
        assert all(comment in written[key] for key, _, comment in rows)


@pytest.mark.slow
def test_a_kill_loses_at_most_the_unanswered_requests_and_writes_nothing_twice(root):
    random.seed(7)
    graders = ("Grace", "Hopper")  # one answer for each
    counts = dict.fromkeys(graders, 0)
    for kill in range(5):
        with marking_server(root) as server:
            found = server.question()
            question = found["question"]["key"]
            keys = {found["answers"][at]["id"]: grader for at, grader in enumerate(graders)}
            answered = {grader: [] for grader in graders}

            def work(state, grader, server=server, question=question, answered=answered,
                     kill=kill):  # fmt: skip
                for step in itertools.count(1):
                    request = mark(adjustment=1, comment=f"{grader} {kill} {step}")
                    versions = {state["id"]: state["version"]}
                    try:
                        _, content = server.call(
                            "mark", question=question, versions=versions, mark=request,
                            grader=grader,
                        )  # fmt: skip
                    except (OSError, ValueError, EOFError, http.client.HTTPException):
                        return
                    (state,) = content["answers"]
                    answered[grader].append(state["comment"])

            threads = [
                threading.Thread(target=work, args=(found["answers"][at], grader))
                for at, grader in enumerate(graders)
            ]
            for thread in threads:
                thread.start()
            assert wait_until(lambda answered=answered: all(answered.values()), seconds=60)
            time.sleep(random.random() / 2)
            server.process.send_signal(signal.SIGKILL)
            for thread in threads:
                thread.join()
        with sqlite3.connect(root / "gradebook.db") as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            rows = database.execute(
                "SELECT grade_id, version, comment, written_comment FROM course_mark"
            ).fetchall()
            texts = database.execute(
                "SELECT manual_comment FROM comment WHERE manual_comment IS NOT NULL"
            ).fetchall()
        assert sorted(texts) == sorted((comment,) for _, _, comment, _ in rows)
        assert {key for key, *_ in rows} == set(keys)
        for key, version, comment, written in rows:
            grader = keys[key]
            last = int(answered[grader][-1].split()[-1])
            assert comment in (f"{grader} {kill} {last}", f"{grader} {kill} {last + 1}")
            assert written == comment
            counts[grader] += int(comment.split()[-1])
            assert version == counts[grader]


def test_ctrl_c_ends_the_server_and_its_marks_are_saved(root):
    with marking_server(root) as server:
        found = server.question()
        assert send_mark(server, found["question"], found["answers"][0])[0] == 200
        server.process.send_signal(signal.SIGINT)
        output, errors = server.process.communicate(timeout=20)
        assert server.process.returncode == 0 and errors == ""
        assert output.splitlines()[-1] == "stopped: all marks are saved."
    with opened(root) as marks:
        assert question_of(marks).name == "explain"
        assert [each.score for each in states_of(marks).values()].count(1) == 1


def test_without_graded_answers_the_command_says_so(root, capsys, tmp_path):
    code, output = run(capsys, root, "mark", "02-other", "--no-browser")
    assert code == 1 and "'02-other' is not an assignment" in output
    shutil.rmtree(root / "autograded")
    code, output = run(capsys, root, "mark", NAME, "--no-browser")
    assert code == 1 and len(output.splitlines()) == 1
    assert output == (
        f"course: there is no graded submission of {NAME} with an answer that is graded by hand:"
        " run course grade first.\n"
    )
    (root / "gradebook.db").unlink()
    code, output = run(capsys, root, "mark", "--no-browser")
    assert code == 1 and "gradebook.db does not exist yet" in output
    assert not (root / "gradebook.db").exists()


def test_the_grader_is_the_user_of_git_and_root_is_nobody(root, monkeypatch):
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("LOGNAME", "root")
    with marking_server(root, grader=()) as server:
        assert 'data-grader=""' in server.send("GET", "/")[1]
    subprocess.run(["git", "init", "--quiet", root], check=True)
    subprocess.run(["git", "-C", root, "config", "user.name", 'Ada "Countess" L.'], check=True)
    with marking_server(root, grader=()) as server:
        assert 'data-grader="Ada &#34;Countess&#34; L."' in server.send("GET", "/")[1]


def test_a_port_in_use_is_an_error(root, capsys):
    with marking_server(root) as server:
        code, output = run(capsys, root, "mark", "--no-browser", "--port", server.port)
    assert code == 1 and f"port {server.port} cannot be used" in output


def test_versions_tell_which_answers_others_have_changed(root):
    with marking_server(root) as server:
        found = server.question()
        key = found["question"]["key"]
        before = {each["id"]: each["version"] for each in found["answers"]}
        assert server.call("versions", question=key) == (200, {"versions": before})
        with opened(root) as marks:
            changed = give(marks, "cy", mark(adjustment=1, comment="Good."), grader="Hopper")
        _, after = server.call("versions", question=key)
        differing = [each for each in before if before[each] != after["versions"][each]]
        assert differing == [changed.id]
        _, states = server.call("states", question=key, answers=[changed.id, "unknown"])
        (state,) = states["answers"]
        assert (state["score"], state["grader"], state["comment"]) == (1, "Hopper", "Good.")
        assert "html" not in state
        assert server.call("states", question=key, answers=[1])[0] == 400
        assert server.call("states", question=key, answers=["x"] * 3000)[0] == 400
