"""The caller's side of a kernel: what is asked of it, and how it ends."""

import contextlib
import select
import shutil
import socket
import time

from course.instructor.sandbox import messages

GRACE_SECONDS = 2


class KernelGone(Exception):
    """The kernel has ended or had to be ended; its text says why."""


class Kernel:
    """A kernel as its caller sees it; made by `host.Zygote.kernel`."""

    def __init__(self, sock, leash, limits, folder):
        self._sock = sock
        self._leash = leash
        self._folder = folder
        self.limits = limits
        self.gone = None  # why it ended, once it has

    def put(self, files):
        """Lay files into its scratch directory."""
        paths, contents = [], []
        for path, content in files:
            paths.append(path)
            contents.append(content)
        if paths:
            self.ask({"op": "put", "paths": paths}, contents, seconds=30)

    def tell(self, header, blocks=(), seconds=60):
        """Send a message; see `ask`."""
        if self.gone:
            raise KernelGone(self.gone)
        try:
            messages.send(self._sock, header, blocks, time.monotonic() + seconds)
        except messages.WireError as error:
            raise self._end(self._last_words() or error) from None

    def hear(self, seconds):
        """Return the next message, or raise `wire.Silence` or `KernelGone`."""
        if self.gone:
            raise KernelGone(self.gone)
        try:
            return messages.receive(
                self._sock, self.limits.message_mb * 2**20, time.monotonic() + seconds
            )
        except messages.Silence:
            raise
        except messages.WireError as error:
            raise self._end(self._last_words() or error) from None

    def ask(self, header, blocks=(), seconds=60):
        """Send a message and return the answer.

        Parameters
        ----------
        header : dict
            The message; its "op" says what is wanted.
        blocks : sequence of bytes-like
            Its raw data.
        seconds : float
            How long the answer may take. Then the kernel is interrupted, and ended if it does not
            answer soon after.

        Returns
        -------
        header : dict
            The answer, with "late": True where it had to be interrupted.
        blocks : list of bytearray
            Its raw data.

        Raises
        ------
        KernelGone
            If it has ended, had to be ended, or sends what no honest kernel sends.
        """
        if self.gone:
            raise KernelGone(self.gone)
        self.tell(header, blocks)
        late = False
        try:
            answer, data = self.hear(seconds)
        except messages.Silence:
            late = True
            self.interrupt()
            try:
                answer, data = self.hear(GRACE_SECONDS)
            except messages.Silence:
                raise self._end(f"it ran for more than {seconds:g} s and did not stop") from None
        if not isinstance(answer, dict):
            raise self._end("it sent no message that can be read")
        return answer | {"late": late}, data

    def has_ended(self):
        """Return whether it has ended by itself; then `gone` says why."""
        if not self.gone and select.select([self._leash], [], [], 0)[0]:
            self._end(self._last_words() or "it ended")
        return bool(self.gone)

    def interrupt(self):
        """Interrupt what it runs, as the stop button of a notebook does."""
        with contextlib.suppress(OSError):
            self._leash.send(b"i")

    def close(self):
        """End it and everything that it has started."""
        if not self.gone:
            self._end("it was closed")

    def _last_words(self):
        """Return what the zygote says of the end of the process, or None."""
        self._leash.settimeout(1)
        try:
            return self._leash.recv(1000).decode(errors="replace")
        except OSError:
            return None

    def _end(self, reason):
        self.gone = str(reason)
        if self._folder:
            with contextlib.suppress(OSError):
                # Until the zygote has ended it, it may still write there.
                self._leash.shutdown(socket.SHUT_WR)
                self._last_words()
        for sock in (self._sock, self._leash):
            sock.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        return KernelGone(self.gone)
