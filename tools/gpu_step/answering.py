"""What a worker process does: it answers one question a line, by JSON."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any


def answer(doing: dict[str, Callable[..., dict[str, Any]]]) -> None:
    """Answers `{"do": NAME, …arguments}` by what `doing[NAME]` gives, until the end.

    Each answer is a line on the standard output, which is kept for that: what libraries
    print goes to the standard error. A failure is an answer as well, `{"failed": …}`.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        question = json.loads(line)
        try:
            found = doing[question.pop("do")](**question)
        except Exception as error:  # whatever a framework raises is told
            traceback.print_exc()
            said = " ".join(f"{type(error).__name__}: {error}".split())
            found = {"failed": said[:400]}
        answers.write(json.dumps(found) + "\n")
