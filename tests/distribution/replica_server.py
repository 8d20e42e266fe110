"""Processes with several replicas that tests send cases to.

TensorFlow cuts a machine's CPU into devices once a process, before their first use, and
its collectives remember the sizes of their groups: a test of R replicas needs a process
of its own. One server per count imports TensorFlow once and takes cases in turn:

    pytestmark = pytest.mark.xdist_group("replicas 2")   # with others of its count

    def _case(strategy, size):              # at the top of the module; runs there
        return strategy.run(...)            # NumPy arrays, numbers, strings come back

    def test_it(replicas):                  # the fixture, in tests/conftest.py
        assert replicas(2).run(_case, size=3) == ...

A case begins with a fresh Keras (float32, no policy, no session); an exception comes
back as an AssertionError with its traceback.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import os
import pathlib
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping
from typing import Any

_PATIENCE = 900  # seconds
_ROOT = pathlib.Path(__file__).resolve().parents[2]


class ReplicaServer:
    """A process that holds a strategy and runs functions with it.

    Args:
      name: of the strategy, see `make_strategy`.
      replicas: logical devices to cut the CPU into; None to leave it whole.
      environment: variables beside this process' own.
    """

    def __init__(
        self,
        name: str = "auto",
        replicas: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, name, str(replicas or "")],
            cwd=_ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
        )

    def send(self, function: Callable, **arguments: Any) -> None:
        """Begins `function(strategy, **arguments)`; `result` waits for it."""
        called = (function.__module__, function.__qualname__, arguments)
        with contextlib.suppress(BrokenPipeError):
            pickle.dump(called, self._process.stdin)
            self._process.stdin.flush()

    def result(self) -> Any:
        """What the function gave."""
        # What hangs is ended, having told where it hung.
        watch = threading.Timer(_PATIENCE, self._process.send_signal, [signal.SIGABRT])
        watch.start()
        try:
            error, value = pickle.load(self._process.stdout)
        except EOFError:
            self._process.wait()
            self._complaints.seek(0)
            said = self._complaints.read().partition("Extension modules")[0][-5000:]
            raise AssertionError(f"the replicas' process ended: {said}") from None
        finally:
            watch.cancel()
        if error:
            raise AssertionError(f"among replicas:\n{error}")
        return value

    def run(self, function: Callable, **arguments: Any) -> Any:
        """`function(strategy, **arguments)`, in the process of the replicas."""
        self.send(function, **arguments)
        return self.result()

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()
        self._complaints.close()


def _serve(name: str, replicas: str) -> None:
    """Answers what comes on standard input, until it ends."""
    faulthandler.enable()
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # What a case prints may not get between answers.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    import tensorflow as tf

    from simclr_tf.distribution import make_strategy

    strategy = make_strategy(name, logical_devices=int(replicas) if replicas else None)
    while True:
        try:
            module, function, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        tf.keras.mixed_precision.set_global_policy(None)
        tf.keras.backend.set_floatx("float32")
        tf.keras.backend.clear_session()
        try:
            case = getattr(importlib.import_module(module), function)
            answer = (None, case(strategy, **arguments))
        except Exception:
            answer = (traceback.format_exc(), None)
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    _serve(*sys.argv[1:])
