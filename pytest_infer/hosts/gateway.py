"""An execnet gateway that cannot hang while it starts, and keeps what its process prints."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from functools import partial
from pathlib import Path
from signal import SIGKILL, Signals
from subprocess import PIPE, Popen, TimeoutExpired
from tempfile import TemporaryFile
from threading import Timer
from time import monotonic
from types import SimpleNamespace
from typing import IO, Any

import execnet
from execnet.gateway_base import ThreadExecModel

from pytest_infer.hosts import keeper
from pytest_infer.hosts.starter import started

SSH = "ssh="
SSH_OPTIONS = "-o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=15"
"""Never ask on the terminal; notice a machine that does not answer, at the start and later.

They come after the user's own, of which ssh takes the first.
"""

LOG_LINES = 12
FATAL = "Fatal Python error"
"""How faulthandler begins its report of a crash: the signal first, then the innermost call."""
CURRENT = "Current thread"
"""How the part of that report begins which is of the thread that crashed."""
ENDS_WITHIN_S = 2.0 + keeper.GIVE_UP_S
"""How long a process may take to end: one that is asked to, or that of a connection that is cut."""
SOON_S = 0.2
"""How long a process that has closed its connection may take to end."""
LOOK_EVERY_S = 1.0
"""How often a process that does not answer is looked at: what it forked may hold its pipe open."""

_KEPT = """
import sys
keeper = {{"__name__": "keeper"}}
exec({source!a}, keeper)
keeper["keep"]({aftermath!a})
del keeper
exec(eval(sys.stdin.readline()))
"""
"""What a Python does before it obeys execnet, whose own first line is the last one here."""


class NoGatewayError(Exception):
    """No Python has answered; the text is why."""


class LateError(Exception):
    """Nothing came within the time-out."""


class GoneError(Exception):
    """The process or the connection to it has ended."""


class Gateway:
    """A Python behind an execnet specification, and one channel to the code that it runs."""

    def __init__(self, spec: str, code: str, *, timeout_s: float, aftermath: str = "") -> None:
        """Start it; raise `NoGatewayError` if no Python answers within the time-out.

        When this process has died, the source ``aftermath`` runs there last.
        """
        self._log = TemporaryFile(buffering=0)  # noqa: SIM115 - it lives as long as the gateway
        self._log_start = 0
        self._processes = _Processes(self._log, aftermath)
        self._group = execnet.Group()
        self._group.set_execmodel(self._processes, "main_thread_only")
        watch = Timer(timeout_s, self._processes.give_up)
        watch.daemon = True
        watch.start()
        try:
            self._channel = self._group.makegateway(_spec_with_limits(spec)).remote_exec(code)
        except AssertionError as error:
            self.close()
            why = "something else than Python answered: does a start-up file of the shell print?"
            raise NoGatewayError(self._why(why)) from error
        except execnet.RemoteError as error:  # such as of a chdir to nowhere
            self.close()
            raise NoGatewayError(_text(error).strip().splitlines()[-1]) from error
        except (
            EOFError,
            OSError,
            ValueError,
            AttributeError,
            LookupError,
            execnet.HostNotFound,
        ) as error:
            late = f"it did not answer within {timeout_s:g} s"
            why = late if self._processes.is_late else self._why(self._early_end or _text(error))
            self.close()
            raise NoGatewayError(why) from error
        finally:
            watch.cancel()

    @property
    def is_open(self) -> bool:
        """Return whether messages can still come and go."""
        return not self._channel.isclosed()

    @property
    def exit_code(self) -> int | None:
        """Return how the process has ended: its status, or less than 0 a signal's number."""
        return self._processes.exit_code

    def send(self, message: Any) -> None:
        """Send builtin types; what is printed from now on belongs to the answer."""
        self._log_start = os.fstat(self._log.fileno()).st_size
        try:
            self._channel.send(message)
        except OSError as error:
            raise GoneError(_text(error)) from error

    def receive(self, timeout_s: float) -> Any:
        """Return what comes; raise `LateError` or `GoneError`."""
        end_s = monotonic() + timeout_s
        while True:
            has_ended = self._processes.have_ended  # before the look at what it sent last
            try:
                return self._channel.receive(min(LOOK_EVERY_S, max(0.0, end_s - monotonic())))
            except execnet.TimeoutError as error:
                if has_ended:
                    raise GoneError("the process has ended") from error
                if monotonic() >= end_s:
                    raise LateError from error
            except (EOFError, OSError, execnet.RemoteError) as error:
                self._processes.wait(ENDS_WITHIN_S)
                raise GoneError(_text(error)) from error

    def printed(self) -> str:
        """Return the end of what was printed since the latest message was sent."""
        self._log.seek(self._log_start)
        lines = self._log.read().decode(errors="replace").splitlines()
        crashes = [number for number, line in enumerate(lines) if line.startswith(FATAL)]
        told = _crash(lines[crashes[-1] :]) if crashes else lines[-LOG_LINES:]
        return "\n".join(told)

    def close(self) -> None:
        """End the process, by force if it does not go within a second."""
        self._group.terminate(timeout=1)
        self._processes.kill()

    @property
    def _early_end(self) -> str:
        """Return how the process has ended by itself; nothing if it has not."""
        self._processes.wait(SOON_S)
        code = self.exit_code
        if code is None:
            return ""
        how = f"exit status {code}" if code >= 0 else Signals(-code).name
        return f"it ended ({how}) before it answered"

    def _why(self, error: str) -> str:
        """Return what the process said before it ended, or else what execnet says."""
        return self.printed() or error


class _Processes(ThreadExecModel):  # type: ignore[misc] # execnet has no types for mypy here
    """How execnet starts processes here: each has a keeper, and what it prints goes to a file."""

    def __init__(self, log: IO[bytes], aftermath: str) -> None:
        self._log = log
        self._aftermath = aftermath
        self._started: list[_Kept] = []
        self.is_late = False

    @property
    def subprocess(self) -> Any:
        return SimpleNamespace(PIPE=PIPE, Popen=self._start)

    def _start(self, arguments: list[str], **_pipes: Any) -> Popen[bytes]:
        """Start a process between two sockets: unlike a pipe, they can be shut by another thread.

        So nobody reads or writes for ever, whoever else holds the other ends.
        """
        (ours_in, its_in), (ours_out, its_out) = socket.socketpair(), socket.socketpair()
        with its_in, its_out, ours_in, ours_out:
            start = partial(
                _Kept,
                arguments,
                stdin=its_in.fileno(),
                stdout=its_out.fileno(),
                stderr=self._log,
                start_new_session=True,
            )
            process = started(start)
            process.stdin = os.fdopen(ours_in.detach(), "wb")
            process.stdout = os.fdopen(ours_out.detach(), "rb")
        self._started.append(process)
        process.stdin.write(_first_line(self._aftermath))
        process.stdin.flush()
        return process

    @property
    def have_ended(self) -> bool:
        """Return whether none of them runs any more."""
        return all(process.poll() is not None for process in self._started)

    @property
    def exit_code(self) -> int | None:
        codes = [process.poll() for process in self._started]
        return codes[0] if codes else None

    def wait(self, timeout_s: float) -> None:
        for process in self._started:
            with suppress(TimeoutExpired):
                process.wait(timeout_s)

    def give_up(self) -> None:
        self.is_late = True
        self.kill()

    def kill(self) -> None:
        """End each process by its keeper, or else by force, with all of its session."""
        for process in self._started:
            process.kill()
        self.wait(ENDS_WITHIN_S)
        for process in self._started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, SIGKILL)
            process.wait()
            _shut(process.stdin)
            _shut(process.stdout)
            with suppress(OSError):  # what nobody has read is lost
                process.stdin.close()


class _Kept(Popen[bytes]):
    """A process that is asked to end, for it has others to end."""

    stdin: IO[bytes]
    stdout: IO[bytes]

    def kill(self) -> None:
        self.terminate()


def _crash(lines: list[str]) -> list[str]:
    """Return the signal and the calls of the thread that it met; other threads come before it."""
    numbers = [number for number, line in enumerate(lines) if line.startswith(CURRENT)]
    return [lines[0], *lines[numbers[0] if numbers else 1 :]][:LOG_LINES]


def _first_line(aftermath: str) -> bytes:
    source = _KEPT.format(source=Path(keeper.__file__).read_text(), aftermath=aftermath)
    return ascii(source).encode() + b"\n"


def _shut(end: IO[bytes]) -> None:
    """Wake whoever waits at this end of a socket."""
    with suppress(OSError, ValueError):  # it is closed, or the other side was quicker
        shared = socket.socket(fileno=end.fileno())
        try:
            shared.shutdown(socket.SHUT_RDWR)
        finally:
            shared.detach()


def _spec_with_limits(spec: str) -> str:
    parts = spec.split("//")
    return "//".join(f"{part} {SSH_OPTIONS}" if part.startswith(SSH) else part for part in parts)


def _text(error: BaseException) -> str:
    return str(error) or type(error).__name__
