"""One process at a time in a run folder."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from types import TracebackType

import tensorflow as tf

from simclr_tf import messages
from simclr_tf.training.run_files import (
    RunFolderError,
    file_errors,
    read_text,
    write_json,
)

# Seconds between two signs of life, and how long another host's process may show none.
_BEAT = 10.0
_PATIENCE = 45.0
# Seconds after which a process looks whether another has taken the lock with it.
_SETTLE = 0.1


@dataclasses.dataclass(frozen=True)
class _Holder:
    """What the lock file says of the process that holds it."""

    token: str
    host: str
    pid: int
    machine: str
    started: str
    beat: int = 0

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class RunLock:
    """A lock file with host and process, held while entered.

    The lock of a process that is gone is taken over: of one on this machine at once,
    of one elsewhere when its file has not changed for a while.

    Args:
      path: of the lock file; its folder exists.
      say: called with what a person should know.

    Raises:
      RunFolderError: on entering, where another process holds the lock.
    """

    def __init__(self, path: str, say: Callable[[str], None] = messages.say) -> None:
        self._path = path
        self._say = say
        self._holder = _this_process()
        self._ended = threading.Event()
        self._beating = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> RunLock:
        other = _read(self._path)
        if other is not None:
            if self._lives(other):
                raise RunFolderError(
                    f"{os.path.dirname(self._path)} is in use by {other}. Wait until "
                    "it ends or stop it, or choose another folder with --run."
                )
            self._say(
                f"Taking over {os.path.dirname(self._path)} from {other}, which is "
                "gone."
            )
        write_json(self._path, dataclasses.asdict(self._holder))
        time.sleep(_SETTLE)
        self.require_held()
        self._beating.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._beating.join()
        holder = _read(self._path)
        if holder is not None and holder.token == self._holder.token:
            with file_errors("delete", self._path):
                tf.io.gfile.remove(self._path)

    def require_held(self) -> None:
        """Raises RunFolderError where another process has taken the lock over."""
        holder = _read(self._path)
        if holder is None or holder.token != self._holder.token:
            raise RunFolderError(
                f"{os.path.dirname(self._path)} was taken over by "
                f"{holder or 'another process'}: nothing more is written there."
            )

    def _lives(self, other: _Holder) -> bool:
        if other.machine == self._holder.machine:
            return _start_of(other.pid) == other.started
        self._say(
            f"{self._path} names {other}; waiting {_PATIENCE:.0f} s for a sign of life."
        )
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            time.sleep(min(_BEAT / 5, _PATIENCE / 5))
            now = _read(self._path)
            if now is None:
                return False
            if now != other:
                return True
        return False

    def _beat(self) -> None:
        """Changes the file now and then, until the lock is given up or lost."""
        beat = 0
        while not self._ended.wait(_BEAT):
            beat += 1
            try:
                self.require_held()
                holder = dataclasses.replace(self._holder, beat=beat)
                write_json(self._path, dataclasses.asdict(holder))
            except RunFolderError:
                # Lost, or not to be reached just now: before each save the training
                # looks for itself.
                continue


def _read(path: str) -> _Holder | None:
    """Who holds the lock; nobody where the file is absent or damaged."""
    text = read_text(path)
    try:
        return None if text is None else _Holder(**json.loads(text))
    except (TypeError, ValueError):
        return None


def _this_process() -> _Holder:
    pid = os.getpid()
    return _Holder(
        token=uuid.uuid4().hex,
        host=socket.gethostname(),
        pid=pid,
        machine=_machine(),
        started=_start_of(pid) or "",
    )


def _machine() -> str:
    """What processes that can see one another have in common."""
    parts = [socket.gethostname()]
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            parts.append(file.read().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))  # Containers have their own.
    except OSError:  # Not Linux.
        pass
    return " ".join(parts)


def _start_of(pid: int) -> str | None:
    """When a process of this machine began.

    Process ids are reused; the time distinguishes two processes with the same id.

    Returns:
      Its start time in clock ticks, "" where the system does not say, or None where
      the process has ended.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    try:
        with open(f"/proc/{pid}/stat") as file:
            # The name, in parentheses, may hold spaces.
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return None if fields[0] in "ZX" else fields[19]
