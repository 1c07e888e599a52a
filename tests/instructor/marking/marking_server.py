"""The marking page's server in a process of its own, and requests to it."""

import contextlib
import http.client
import json
import os
import re
import subprocess
from dataclasses import dataclass

from tests.conftest import BIN

ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/\?token=([\w-]+)")


@dataclass
class Server:
    """A running server."""

    process: subprocess.Popen
    port: int
    token: str
    cookie: str = ""
    notes: str = ""  # what the command printed before the address

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    def send(self, method, path, body=None, **headers):
        """Send a request and return the response with its text; a header of None is left out."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {"Cookie": self.cookie} if self.cookie else {}
        if method == "POST":
            sent |= {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{self.port}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in sent.items() if value is not None}
        with contextlib.closing(connection):
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return response, response.read().decode()

    def call(self, action, **content):
        """Send a request of the page; return its status and the content of the response."""
        response, text = self.send("POST", f"/api/{action}", json.dumps(content))
        return response.status, json.loads(text)

    def question(self, name="explain"):
        """Return the content of the question with this word in its title."""
        _, found = self.call("overview")
        key = next(each["key"] for each in found["questions"] if name in each["title"])
        return self.call("question", question=key)[1]


@contextlib.contextmanager
def marking_server(root, *options, grader=("--grader", "Grace")):
    """Run `course mark` while the block runs."""
    command = [BIN / "course", "-C", root, "mark", "--no-browser", *grader, *options]
    process = subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    )
    try:
        notes = ""
        while not (found := ADDRESS.search(line := process.stdout.readline())):
            notes += line
            assert line, notes + process.stderr.read()
        server = Server(process, int(found[1]), found[2], notes=notes)
        response, _ = server.send("GET", f"/?token={server.token}")
        server.cookie = response.headers["Set-Cookie"].partition(";")[0]
        yield server
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
