"""Observations of an attack: listeners, remaining processes, pages, the formgrader."""

import ctypes
import hashlib
import json
import os
import signal
import socket
import stat
import subprocess
import threading
import time
import uuid
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

from tests import attacks
from tests.conftest import BIN

TAKEN_OVER = "taken-over"  # the page title that every script of an attack sets


@contextmanager
def listeners():
    """Listen where attacks try to connect; yield the port, the socket name and the connections."""
    name = f"attack-{uuid.uuid4().hex[:8]}.sock"
    stream, datagram = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
    stream.bind(("127.0.0.1", 0))
    datagram.bind(stream.getsockname())
    unix = [socket.socket(socket.AF_UNIX) for _ in range(2)]
    unix[0].bind(f"/tmp/{name}")
    unix[1].bind(f"\0{name}")
    reached = SimpleNamespace(port=stream.getsockname()[1], name=name, connections=[])

    def accept_all(listener):
        while True:
            try:
                if listener is datagram:
                    reached.connections.append(listener.recvfrom(1000))
                else:
                    listener.accept()[0].close()
                    reached.connections.append(str(listener))
            except OSError:  # the test is over
                return

    for listener in (stream, *unix):
        listener.listen()
    for listener in (stream, datagram, *unix):
        threading.Thread(target=accept_all, args=(listener,), daemon=True).start()
    try:
        yield reached
    finally:
        for listener in (stream, datagram, *unix):
            listener.close()
        Path(f"/tmp/{name}").unlink()


@contextmanager
def descendants():
    """Adopt orphaned processes; yield a function that kills and returns the remaining ones.

    Without a subreaper, a daemon would become a child of init and its origin would be lost.
    """
    set_child_subreaper = 36
    libc = ctypes.CDLL(None)
    libc.prctl(set_child_subreaper, 1, 0, 0, 0)
    known = set(_running_processes())

    def kill_remaining():
        for _ in range(50):
            found = {pid: line for pid, line in _running_processes().items() if pid not in known}
            if not found:
                break
            time.sleep(0.1)
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        return list(found.values())

    try:
        yield kill_remaining
    finally:
        libc.prctl(set_child_subreaper, 0, 0, 0, 0)


def _running_processes():
    """Return the descendants of this process and sleepers: process id to command line."""
    parents, lines = {}, {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = process.joinpath("stat").read_text().rpartition(") ")[2].split()[:2]
            line = process.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, UnicodeDecodeError):
            continue
        if state != "Z":
            parents[int(process.name)] = int(parent)
            lines[int(process.name)] = line

    def is_descendant(pid):
        while pid in parents and pid != os.getpid():
            pid = parents[pid]
        return pid == os.getpid()

    return {
        pid: line
        for pid, line in lines.items()
        if pid != os.getpid() and (is_descendant(pid) or line.strip() == f"sleep {attacks.SLEEPER}")
    }


def run_and_capture(*command):
    """Run a command that may take half an hour; return all of its output."""
    done = subprocess.run(
        list(map(str, command)),
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=3000,
    )
    return done.stdout.decode(errors="replace")


def fingerprint(root):
    """Return a dict from path to mode and content of all files that grading must not change."""
    found = {}
    trees = [root / stage for stage in ("source", "release", "submitted")]
    for path in [
        root / "nbgrader_config.py",
        *(each for tree in trees for each in tree.rglob("*")),
    ]:
        status = path.lstat()
        content = ""
        if stat.S_ISLNK(status.st_mode):
            content = str(path.readlink())
        elif stat.S_ISREG(status.st_mode):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path.relative_to(root))] = (stat.filemode(status.st_mode), content)
    return found


def page_path(root, name):
    return root / "feedback" / name / attacks.ASSIGNMENT / "target.html"


def page(root, name):
    return page_path(root, name).read_text(encoding="utf-8")


def outputs(root, name):
    """Return all texts in the outputs of a graded notebook; "" if there is no notebook."""
    path = root / "autograded" / name / attacks.ASSIGNMENT / attacks.FILE_NAME
    if not path.is_file():
        return ""

    def texts(value):
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            for each in value.values() if isinstance(value, dict) else value:
                yield from texts(each)

    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join(text for each in cells for text in texts(each.get("outputs", [])))


def scripts(page):
    """Return the scripts of an attack in a page that a browser would run."""
    found = []

    class Reader(HTMLParser):
        tag = ""

        def handle_starttag(self, tag, attributes):
            self.tag = tag
            for name, value in attributes:
                value = "".join((value or "").split()).lower()
                runs = name.startswith("on") or name == "srcdoc" or "script:" in value[:20]
                if runs and TAKEN_OVER in value:
                    found.append(f"{tag} {name}={value}")

        def handle_data(self, data):
            if self.tag == "script" and TAKEN_OVER in data:
                found.append(data)

        def handle_endtag(self, tag):
            self.tag = ""

    reader = Reader()
    reader.feed(page)
    return found


@contextmanager
def formgrader(root, **environment):
    """Serve a course's formgrader on loopback; yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [
            BIN / "jupyter",
            "lab",
            "--no-browser",
            "--allow-root",
            "--ip=127.0.0.1",
            f"--port={port}",
            "--IdentityProvider.token=",
        ],
        cwd=root,
        env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(120):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert server.poll() is None, "JupyterLab ended at once"
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/formgrader"
    finally:
        server.terminate()
        server.wait(30)
