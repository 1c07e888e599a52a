"""The server of the marking page: on this machine only, for those who have its token.

Requests that change something are POST requests with JSON from the page itself. Texts and names of
students are only in answers to such requests, never in an address.
"""

import asyncio
import hmac
import json
import secrets
import signal
import tempfile
import webbrowser
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler

from course.errors import CourseError
from course.instructor import pages
from course.instructor.feedback.cell_renderer import code_style_sheet, render_markdown
from course.instructor.marking import sharing
from course.instructor.marking.course_marks import (
    AnswerState,
    CourseMarks,
    MarkConflict,
    ScoreChange,
)
from course.instructor.marking.questions import Question
from course.instructor.marking.rendering import render_answers, render_outputs

Result = TypeVar("Result")

HOST = "127.0.0.1"
MAX_REQUEST = 2 * 2**20  # bytes
MAX_HTML_AT_ONCE = 100_000  # characters of an answer; a larger one is loaded when it is shown
MAX_HTML_OF_ALL = 8_000_000
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class PageOptions:
    """Options of the page: the grader's name, if there is one, and whether names are shown."""

    grader: str
    shows_names: bool


class MarkingServer:
    """Serves the page and its requests; the gradebook is used in one thread, in turn."""

    def __init__(self, marks: CourseMarks, database: ThreadPoolExecutor, options: PageOptions):
        self.marks = marks
        self.options = options
        self.token = secrets.token_urlsafe(32)
        self.session = secrets.token_urlsafe(32)
        self.port = 0
        self._database = database
        self._renderer = ThreadPoolExecutor(1)

    @property
    def address(self) -> str:
        """The address to open in a browser."""
        return f"http://{HOST}:{self.port}/?token={self.token}"

    @property
    def hosts(self) -> set[str]:
        """The values of the header Host that are accepted: no other name leads here."""
        return {f"{name}:{self.port}" for name in (HOST, "localhost")}

    @property
    def cookie(self) -> str:
        """The name of the cookie; browsers send cookies to all ports of a machine."""
        return f"course-mark-{self.port}"

    async def run(self, port: int, started: Callable[[str], None]) -> None:
        """Serve until SIGINT or SIGTERM; requests that have begun are completed."""
        try:
            sockets = bind_sockets(port, HOST)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CourseError(f"port {port} cannot be used ({reason}): choose another.") from None
        self.port = sockets[0].getsockname()[1]
        routes: list[Any] = [(r"/", _Page), (r"/marking\.(js|css)", _File), (r"/api/(\w+)", _Api)]
        application = Application(
            [(path, handler, {"server": self}) for path, handler in routes],
            default_handler_class=_Missing,
            default_handler_args={"server": self},
            log_function=lambda handler: None,
        )
        http = HTTPServer(application, max_body_size=MAX_REQUEST, max_buffer_size=2 * MAX_REQUEST)
        http.add_sockets(sockets)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        try:
            started(self.address)
            await stop.wait()
        finally:
            http.stop()
            await self.in_database(lambda: None)
            await http.close_all_connections()
            self._renderer.shutdown(wait=False, cancel_futures=True)

    async def in_database(self, function: Callable[[], Result]) -> Result:
        """Call a function in the thread of the gradebook."""
        return await asyncio.get_running_loop().run_in_executor(self._database, function)

    async def render(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call a function that renders students' texts, without delaying other requests."""
        return await asyncio.get_running_loop().run_in_executor(
            self._renderer, function, *arguments
        )

    async def answer(self, action: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the response to a request of the page."""
        if action == "overview":
            return {"questions": await self.in_database(self._overview)}
        found: Question = await self.in_database(
            lambda: self.marks.find_question(request.get("question"))
        )
        key = request.get("answer")
        if action == "question":
            return await self._question(found)
        if action == "answer":
            state = await self.in_database(lambda: self.marks.answer(found, key))
            html = await self.render(render_answers, [state.text])
            return {"html": html[state.text.digest]}
        if action == "outputs":
            near = await self.in_database(lambda: self.marks.outputs_near(found, key))
            shown = await self.render(render_outputs, near.outputs)
            return {"html": shown, "section": near.section}
        if action == "versions":
            states = await self.in_database(lambda: self.marks.answers(found))
            return {"versions": {each.id: each.version for each in states}}
        if action == "states":
            keys = request.get("answers")
            if not isinstance(keys, list) or not all(map(_is_text, keys)):
                raise CourseError("the request is not valid: reload the page.")
            states = await self.in_database(lambda: self.marks.states(found, keys))
            return {"answers": [_state_values(found, each) for each in states]}
        if action == "preview":
            return await self.in_database(lambda: self._preview(found, request))
        if action == "share":
            return await self.in_database(lambda: self._share(found, request))
        versions = request.get("versions")
        if not isinstance(versions, dict) or not all(map(_is_text, versions.values())):
            raise CourseError("the request is not valid: reload the page.")
        writes = {
            "mark": lambda: self.marks.save(
                found, versions, request.get("mark"), str(request.get("grader", ""))
            ),
            "flag": lambda: self.marks.flag(
                found,
                versions,
                request.get("flagged") is True,
                str(request.get("reason", "")),
                str(request.get("flagger", "")),
            ),
            "assign": lambda: self.marks.assign(
                found, list(versions), str(request.get("assignee", ""))
            ),
            "recompute": lambda: self.marks.recompute(found, versions),
            "points": lambda: self.marks.change_points(
                found, request.get("item"), request.get("points"), versions
            ),
        }
        if action not in writes:
            raise HTTPError(404)
        states = await self.in_database(writes[action])
        return {
            "answers": [_state_values(found, state) for state in states],
            "scheme": found.scheme_version,
        }

    def _preview(self, question: Question, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return what other points of a rubric item would do."""
        key = request.get("item")
        preview = self.marks.preview_points(question, key, request.get("points"))
        numbers = {each.id: number for number, each in enumerate(self.marks.answers(question), 1)}
        return {
            "count": preview.count,
            "elsewhere": preview.elsewhere,
            "entered": [numbers[each.id] for each in preview.entered if each.id in numbers],
            "earnable": preview.earnable,
            "changes": [
                _change_values(each, numbers)
                | {"counted": each.counts(key), "entered": each.is_entered}
                for each in preview.changes
            ],
        }

    def _share(self, question: Question, request: Mapping[str, Any]) -> dict[str, Any]:
        """Share a question, or all of them, among the graders in a request."""
        graders = sharing.parse_graders(str(request.get("graders", "")))
        is_all = request.get("all") is True
        every = [each.question for each in self.marks.overview()] if is_all else [question]
        for each in every:
            self.marks.share(each, graders)
        return {"questions": self._overview()}

    def _overview(self) -> list[dict[str, Any]]:
        """Return the questions with their progress."""
        return [
            {
                "key": each.question.key,
                "assignment": each.question.assignment,
                "title": each.question.title,
                "count": each.count,
                "done": each.done,
                "flagged": each.flagged,
                "flagged_open": each.flagged_open,
                "pending": each.pending,
                "outdated": each.outdated,
                "graders": dict(each.graders),
                "assigned": each.assigned,
                "scores": list(each.scores.items()),
                "maximum": each.question.max_score,
            }
            for each in self.marks.overview()
        ]

    async def _question(self, question: Question) -> dict[str, Any]:
        """Return a question with all its answers."""
        states, names, outdated = await self.in_database(lambda: self._read(question))
        html = await self.render(render_answers, [each.text for each in states])
        left = MAX_HTML_OF_ALL
        answers = []
        numbers = {each.id: number for number, each in enumerate(states, 1)}
        for state in states:
            text = html[state.text.digest]
            is_large = len(text) > MAX_HTML_AT_ONCE or len(text) > left
            left -= 0 if is_large else len(text)
            answers.append(
                _state_values(question, state)
                | {
                    "number": numbers[state.id],
                    "name": names.get(state.student, ""),
                    "problem": state.text.problem,
                    "html": None if is_large else text,
                }
            )
        return {
            "question": _question_values(question),
            "answers": answers,
            "outdated": [_change_values(each, numbers) for each in outdated],
        }

    def _read(self, question: Question) -> tuple[list[AnswerState], dict[str, str], list[Any]]:
        """Return the answers to a question, the names to show, and outdated scores."""
        names = self.marks.names(question) if self.options.shows_names else {}
        return self.marks.answers(question), names, self.marks.outdated(question)


def serve(server: MarkingServer, port: int, opens_browser: bool) -> None:
    """Run a server, and tell the user where it is."""
    with tempfile.TemporaryDirectory(prefix="course-mark-") as folder:

        def started(address: str) -> None:
            print(f"Marking page: {address}")
            print("The address is a password: do not share it. Ctrl-C ends the server.", flush=True)
            if opens_browser:
                # Other users of this machine can read the arguments of a browser, but not the file.
                page = Path(folder, "open.html")
                link = escape(address)
                page.write_text(f'<meta http-equiv="refresh" content="0; url={link}">')
                webbrowser.open(page.as_uri())

        asyncio.run(server.run(port, started))
    print("stopped: all marks are saved.")


class _Handler(RequestHandler):
    """Refuses requests that do not come from the page, or from somebody without the token."""

    def initialize(self, server: MarkingServer) -> None:
        self.server = server

    def set_default_headers(self) -> None:
        for name, value in HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        """Check where a request comes from."""
        headers = self.request.headers
        host = headers.get("Host", "")
        origin, site = headers.get("Origin"), headers.get("Sec-Fetch-Site", "none")
        is_own = origin == f"http://{host}" if origin else self.request.method == "GET"
        if host not in self.server.hosts:
            raise HTTPError(403, "unknown host")
        if not is_own or (self.request.method != "GET" and site not in ("same-origin", "none")):
            raise HTTPError(403, "another page sent this request")
        if not self.is_allowed():
            raise HTTPError(403, "open the address that course mark has printed")

    def is_allowed(self) -> bool:
        """Return whether the browser has the cookie."""
        found = self.get_cookie(self.server.cookie) or ""
        return hmac.compare_digest(found.encode(), self.server.session.encode())

    def write_error(self, status_code: int, **details: Any) -> None:
        """Answer with one sentence."""
        error = details.get("exc_info", (None, None))[1]
        message = error.log_message if isinstance(error, HTTPError) else None
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"Error {status_code}: {message or self._reason}.\n")


class _Page(_Handler):
    """The page, which contains nothing about students; the token of its address sets the cookie."""

    def is_allowed(self) -> bool:
        token = self.get_query_argument("token", "")
        has_token = hmac.compare_digest(token.encode(), self.server.token.encode())
        return has_token or super().is_allowed()

    def get(self) -> None:
        """Answer with the page, whose script removes the token from the address."""
        self.set_cookie(
            self.server.cookie, self.server.session, httponly=True, samesite="Strict", path="/"
        )
        options = self.server.options
        self.finish(
            pages.render("marking.html", grader=options.grader, shows_names=options.shows_names)
        )


class _File(_Handler):
    """The script or the style sheet of the page."""

    def get(self, kind: str) -> None:
        """Answer with the file."""
        types = {"js": "text/javascript", "css": "text/css"}
        self.set_header("Content-Type", f"{types[kind]}; charset=utf-8")
        if kind == "js":
            self.finish(Path(pages.__file__).with_name("marking.js").read_bytes())
        else:
            self.finish(pages.render("marking.css", code_style_sheet=code_style_sheet))


class _Api(_Handler):
    """The requests of the page, with JSON."""

    async def post(self, action: str) -> None:
        """Answer a request: 409 if something has changed, 400 if it is wrong, 503 if it failed."""
        kind = self.request.headers.get("Content-Type", "").partition(";")[0]
        try:
            request = json.loads(self.request.body)
        except (ValueError, RecursionError):
            request = None
        if kind != "application/json" or not isinstance(request, dict):
            raise HTTPError(400, "the request is not JSON")
        status = 200
        try:
            response = await self.server.answer(action, request)
        except MarkConflict as conflict:
            status = 409
            question = await self.server.in_database(
                lambda: self.server.marks.find_question(request.get("question"))
            )
            states = [_state_values(question, each) for each in conflict.states]
            response = {"error": str(conflict), "answers": states}
        except CourseError as error:
            status, response = 400, {"error": str(error)}
        except SQLAlchemyError as error:
            reason = " ".join(str(getattr(error, "orig", None) or error).split())[:200]
            message = f"the gradebook cannot be used now ({reason}), and nothing was saved"
            status, response = 503, {"error": message}
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(response))


class _Missing(_Handler):
    """Any other address."""

    def prepare(self) -> None:
        super().prepare()
        raise HTTPError(404)


def _question_values(question: Question) -> dict[str, Any]:
    """Return what the page shows of a question."""
    return {
        "key": question.key,
        "assignment": question.assignment,
        "title": question.title,
        "maximum": question.max_score,
        "deducts": question.deducts,
        "scheme": question.scheme_version,
        "source": f"source/{question.assignment}/{question.notebook}.ipynb",
        "text": render_markdown(question.text),
        "model": render_markdown(
            f"```python\n{question.model_answer}\n```"
            if question.is_code
            else question.model_answer
        ),
        "guidance": render_markdown(question.scheme.guidance),
        "items": [
            asdict(item) | {"html": render_markdown(each.text)}
            for item, each in zip(question.items, question.scheme.items, strict=True)
        ],
    }


def _change_values(change: ScoreChange, numbers: Mapping[str, int]) -> dict[str, Any]:
    """Return what the page shows of a score that other points change."""
    return {
        "id": change.state.id,
        "number": numbers.get(change.state.id),
        "version": change.state.version,
        "old": change.state.score,
        "new": change.score,
    }


def _state_values(question: Question, state: AnswerState) -> dict[str, Any]:
    """Return what the page shows of an answer's mark."""

    def values(mark: Any) -> dict[str, Any]:
        items = [asdict(each) for each in mark.items]
        return {"items": items, "adjustment": mark.adjustment, "comment": mark.comment}

    earlier = state.earlier
    return values(state.mark) | {
        "id": state.id,
        "same": state.text.digest,
        "empty": state.text.is_empty,
        "pending": state.mark.pending,
        "score": state.score,
        "automatic": state.auto_score,
        "status": state.status,
        "flagged": state.flagged,
        "reason": state.flag_reason,
        "flagger": state.flagger,
        "assignee": state.assignee,
        "grader": state.grader,
        "version": state.version,
        "earlier": values(earlier) | {"score": earlier.score(question.max_score, question.deducts)}
        if earlier
        else None,
    }


def _is_text(value: Any) -> bool:
    """Return whether a value from JSON is a text."""
    return isinstance(value, str)
