"""Hiding what TensorFlow's libraries log when they are imported."""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator

STDERR = 2  # its file descriptor, to which libraries write
# Information and warnings, of which TF_CPP_MIN_LOG_LEVEL hides only some.
START_MESSAGE = re.compile(
    r"WARNING: All log messages before absl::InitializeLog|[IW]\d{4} |To enable the following instr"
)


@contextlib.contextmanager
def start_messages_hidden() -> Iterator[None]:
    """Hide the start messages that a block writes to stderr; write all other lines at its end."""
    sys.stderr.flush()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        original = os.dup(STDERR)
        os.dup2(log.fileno(), STDERR)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(original, STDERR)
            os.close(original)
            log.seek(0)
            for line in log:
                if not START_MESSAGE.match(line):
                    print(line, end="", file=sys.stderr)
