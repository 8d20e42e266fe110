"""Worker processes that answer questions, each in time or not at all."""

from __future__ import annotations

import json
import os
import pathlib
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Worker:
    """A process of `answering.answer`, of its own so that its failure is its alone.

    Args:
      module: its name, "tools.gpu_step.jax_side".
      arguments: of its command line.
      log: file that takes what it prints.
      python: that runs it.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        log: pathlib.Path,
        python: str = sys.executable,
    ) -> None:
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        self._log = log
        self._failed = ""
        with log.open("a") as errors:
            self._process = subprocess.Popen(
                [python, "-m", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "PYTHONPATH": path.rstrip(os.pathsep)},
                start_new_session=True,
            )
        self._answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")

    def ask(self, do: str, within: float, **arguments: Any) -> dict[str, Any]:
        """An answer, or `{"failed": …}` with the reason; a late worker is stopped.

        Args:
          do: what, as `answering.answer` was told.
          within: seconds that the answer may take.
          **arguments: of what is done.
        """
        if self._failed:
            return {"failed": self._failed}
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()
            line = self._answers.get(timeout=max(within, 0.0))
        except queue.Empty:
            return self._fail(f"no answer within {within:.3g} s")
        except OSError:
            line = ""
        return json.loads(line) if line else self._fail("the process ended")

    def _fail(self, reason: str) -> dict[str, Any]:
        """Stops the worker, and gives the answer to all that is asked from now on."""
        self.stop()
        lines = self._log.read_text(errors="replace").strip().splitlines()
        last = lines[-1][:300] if lines else f"status {self._process.returncode}"
        self._failed = f"{reason}; its last words: {last}"
        return {"failed": self._failed}

    def stop(self) -> None:
        """Ends the process and what it started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
