"""Running the steps of a term, with commands that are killed at random moments and run again."""

import contextlib
import ctypes
import os
import random
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.term.steps import Change, Command, Step, Term
from tests.conftest import BIN
from tests.instructor.grading.classes import descendants, kill_all

# Before the first measurement in a term: the seconds that a command takes on a quiet machine with
# two cores, and those for each student.
USUAL_SECONDS = {"grade": (5.0, 0.4), "try": (6.0, 0.0), "collect": (2.0, 0.1)}
USUAL_SECONDS |= {"feedback": (3.0, 0.1), "watch": (8.0, 0.3)}
OTHER_SECONDS = 3.0, 0.0
SETTLING_SECONDS = 15  # in which the processes of a killed command must end
FORKSERVER = "sandbox.forkserver"  # in the command line of the process that outlives commands


class TermError(Exception):
    """A command did not do what the guide says."""


@dataclass
class Played:
    """What was measured while a term was played."""

    seconds: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)
    kills: list[tuple[str, float]] = field(default_factory=list)  # the command and the moment


class Player:
    """Runs the steps of a term in the environment of an instructor."""

    def __init__(self, term: Term, kills: int, seed: int, runtime: Path) -> None:
        """Choose the commands that will be killed; some of them several times."""
        self.term, self.random, self.played = term, random.Random(f"kills {seed}"), Played()
        self.planned_kills = kills
        self.runtime = runtime / "run"  # of this term alone: the socket of the forkserver
        self.runtime.mkdir(mode=0o700)

    def play(self, steps: list[Step]) -> Played:
        """Run all steps; raise TermError if one does not do what it should."""
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # orphans become children of this process
        commands = [number for number, step in enumerate(steps) if isinstance(step, Command)]
        kills = Counter(self.random.choices(commands, k=self.planned_kills))
        waiting = 0
        try:
            for number, step in enumerate(steps):
                if isinstance(step, Change):
                    step.make()
                    continue
                waiting = self._run(step, waiting + kills[number])
            # Their commands ended sooner than expected: the last one, which changes nothing.
            while waiting:
                waiting = self._run(steps[commands[-1]], waiting)
        finally:
            self._end_processes()
        return self.played

    def _run(self, command: Command, kills: int) -> int:
        """Kill a command at up to so many random moments, then run it; return the kills left."""
        name = command.arguments[0]
        while kills:
            moment = self.random.uniform(0, self._usual_seconds(name))
            start = time.monotonic()
            process = self._start(command)
            try:
                output = process.communicate(timeout=moment)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                kills -= 1
                self.played.kills.append((" ".join(_shown(command)), moment))
                self.played.seconds["killed commands"] += time.monotonic() - start
                self._wait_for_processes(f"after {' '.join(_shown(command))} was killed")
            else:
                return self._finish(command, process, output, start, kills)
        start = time.monotonic()
        process = self._start(command)
        return self._finish(command, process, process.communicate(timeout=3600), start, kills)

    def _usual_seconds(self, name: str) -> float:
        """Return the mean duration of a command in this term, or an estimate."""
        if runs := self.played.runs[name]:
            return self.played.seconds[name] / runs
        first, each = USUAL_SECONDS.get(name, OTHER_SECONDS)
        return first + each * len(self.term.example.students)

    def _start(self, command: Command) -> subprocess.Popen:
        """Start a command in a process group of its own."""
        return subprocess.Popen(
            [str(BIN / "course"), *command.arguments],
            cwd=self.term.root,
            env={
                **os.environ,
                "TF_CPP_MIN_LOG_LEVEL": "3",
                "XDG_RUNTIME_DIR": str(self.runtime),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def _finish(
        self,
        command: Command,
        process: subprocess.Popen,
        output: tuple[str, str],
        start: float,
        kills: int,
    ) -> int:
        """Check and record a command that has ended; return the kills that are left."""
        name = command.arguments[0]
        seconds = time.monotonic() - start
        self.played.seconds[name] += seconds
        self.played.runs[name] += 1
        shown = f"course {' '.join(_shown(command))}"
        print(f"{seconds:6.1f} s  {shown}", flush=True)
        if process.returncode != command.code or "Traceback" in output[1]:
            killed = [at for each, at in self.played.kills if f"course {each}" == shown]
            raise TermError(
                f"{shown} ended with {process.returncode}, not {command.code}"
                f" (killed before: {killed or 'no'})\n{output[0]}\n{output[1]}"
            )
        self._wait_for_processes(f"after {shown}")
        return kills

    def _wait_for_processes(self, when: str) -> None:
        """Wait until only the idle forkserver is left, which serves the next command."""
        end = time.monotonic() + SETTLING_SECONDS
        while others := _running_processes():
            if time.monotonic() > end:
                raise TermError(f"these processes are left {when}: {others}")
            time.sleep(0.05)

    def _end_processes(self) -> None:
        """End all processes that are left, among them the forkserver."""
        kill_all(descendants(os.getpid()))


def _running_processes() -> list[str]:
    """Return the command lines of this process's descendants, apart from idle forkservers.

    An idle forkserver is a process of bubblewrap with its children; a kernel is a child of one.
    """
    found = []
    for process in descendants(os.getpid()):
        with contextlib.suppress(OSError):
            line = _command_line(process)
            parent = int(Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[1])
            is_idle = FORKSERVER in line and "bwrap" in (line + _command_line(parent))
            if line and not is_idle:
                found.append(line)
    return found


def _command_line(process: int | str) -> str:
    """Return the command line of a process, or "" if it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text(errors="replace").replace("\0", " ")
    except OSError:
        return ""


def _shown(command: Command) -> list[str]:
    """Return the arguments of a command, with paths shortened."""
    return [Path(each).name if each.startswith("/") else each for each in command.arguments]
