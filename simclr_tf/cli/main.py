"""The `simclr` command: finds the command asked for and answers for its mistakes."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Sequence

import tensorflow as tf

from simclr_tf.cli.benchmark import BENCHMARK
from simclr_tf.cli.command import Command, UsageError
from simclr_tf.cli.data_service import DATA_SERVICE
from simclr_tf.cli.embed import EMBED
from simclr_tf.cli.export import EXPORT
from simclr_tf.cli.knn import KNN
from simclr_tf.cli.linear_eval import LINEAR_EVAL
from simclr_tf.cli.pretrain import PRETRAIN
from simclr_tf.cli.preview import PREVIEW
from simclr_tf.cli.tpu_check import TPU_CHECK
from simclr_tf.training import Stopped
from simclr_tf.version import __version__

COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        *(PRETRAIN, LINEAR_EVAL, KNN, EMBED, EXPORT, PREVIEW),
        *(BENCHMARK, TPU_CHECK, DATA_SERVICE),
    )
}

DONE, MISTAKE, RESUMABLE = 0, 2, 75


def main(arguments: Sequence[str]) -> int:
    """Runs a command line.

    Args:
      arguments: what follows the program's name.

    Returns:
      The exit status: 0 done; 2 the user's mistake, said on stderr; 75 stopped by a
      signal and resumable with the same command.
    """
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        print(_overview())
        return DONE
    if arguments[0] == "--version":
        print(f"simclr {__version__}")
        return DONE
    name, rest = arguments[0], arguments[1:]
    try:
        command = _find(name)
        if any(argument in ("--help", "-h", "-help") for argument in rest):
            print(command.help())
            return DONE
        command.run(command.parse(rest))
    except Stopped as stopped:
        print(stopped, file=sys.stderr)
        return RESUMABLE
    except (ValueError, OSError, tf.errors.OpError) as error:
        if os.environ.get("SIMCLR_TRACEBACK"):
            raise
        print(f"simclr: {_one_line(error)}", file=sys.stderr)
        return MISTAKE
    except KeyboardInterrupt:
        print("simclr: interrupted.", file=sys.stderr)
        return RESUMABLE
    return DONE


def run() -> None:
    """Entry point of the `simclr` command."""
    sys.exit(main(sys.argv[1:]))


def _find(name: str) -> Command:
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise UsageError(
            f"{name!r} is no command; there are {', '.join(COMMANDS)}.{hint}"
        )
    return COMMANDS[name]


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = ["SimCLR: from unlabelled images to a trained encoder.", ""]
    lines += ["usage: simclr COMMAND [--flag=value …]", ""]
    lines += [f"  {c.name:<{width}}  {c.summary}" for c in COMMANDS.values()]
    lines += ["", "simclr COMMAND --help shows a command's flags."]
    return "\n".join(lines)


def _one_line(error: Exception) -> str:
    """What an error says, without TensorFlow's account of where it was said."""
    text = getattr(error, "message", None) or str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines and lines[0] == "in user code:":  # Raised while a function was traced.
        return lines[-1].partition(": ")[2] or lines[-1]
    return lines[0] if lines else type(error).__name__
