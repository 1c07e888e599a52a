"""Worker in a process with limits: calls one of the course's functions on students' text.

A module whose functions are called in this way contains `serve = limited_worker.serve`: the
forkserver imports the module and calls `serve` in the forked process.
"""

import gc
import json
import os
import re
import resource
import signal
import socket
import sys
from typing import Any

from course.instructor.sandbox import messages
from course.instructor.sandbox.limits import Limits

OUT_OF_TIME = 75  # exit code of a process that has used up its processor time
SURROGATE = re.compile("[\ud800-\udfff]")  # half of a pair, which cannot be encoded


class StudentTextError(Exception):
    """Students' text is invalid or exceeds a limit; the message is a clause with its own subject.

    For example, "the notebook has more than 2,000 cells".
    """


def serve(sock: socket.socket, limits: Limits) -> None:
    """Answer one request: the name of a module and of its function, and the arguments."""
    # An interrupt comes only after the deadline, and ends the process.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.disable()  # it takes most of the time while millions of objects are created
    seconds = int(limits.call_seconds)
    # Without a handler, the first process of a namespace ignores SIGXCPU. The handler waits for the
    # end of a call in C; after another second, SIGKILL ends the process.
    signal.signal(signal.SIGXCPU, lambda *arguments: os._exit(OUT_OF_TIME))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    connection = messages.WorkerConnection(sock, max_sent=limits.message_mb * 2**20)
    header, blocks = connection.receive()
    answer, result = _call(header, [bytes(block) for block in blocks])
    connection.send(answer, [result])


def encode(value: Any) -> bytes:
    """Return a value as JSON that every program can read: unpaired surrogates are replaced."""
    return SURROGATE.sub("\ufffd", json.dumps(value, ensure_ascii=False)).encode()


def _call(header: dict[str, Any], blocks: list[bytes]) -> tuple[dict[str, str], bytes]:
    """Call a function and return either its encoded result or the reason why there is none."""
    function = getattr(sys.modules[header["module"]], header["function"])
    try:
        return {}, encode(function(*header["arguments"], *blocks))
    except StudentTextError as error:
        return {"problem": SURROGATE.sub("\ufffd", str(error))}, b""
    except MemoryError:
        return {"problem": "it takes too much memory to read"}, b""
    except RecursionError:
        return {"problem": "it is too deeply nested"}, b""
    except Exception as error:
        message = f"it cannot be processed ({type(error).__name__}: {str(error)[:200]})"
        return {"problem": SURROGATE.sub("\ufffd", message)}, b""
