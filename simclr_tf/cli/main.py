"""The `simclr` command: finds the command asked for and answers for its mistakes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from types import ModuleType

from simclr_tf import kept_memory, legacy_keras, native_noise
from simclr_tf.cli.command import Command, UsageError
from simclr_tf.cli.commands import COMMANDS
from simclr_tf.cli.defects import RAISED_ANEW, how_to_go_on
from simclr_tf.cli.shortage import shortage
from simclr_tf.cli.switches import switches
from simclr_tf.dotted_names import modules_noted
from simclr_tf.errors import Stopped, UserError
from simclr_tf.messages import say
from simclr_tf.suggestions import nearest
from simclr_tf.version import __version__

DONE, DEFECT, MISTAKE, RESUMABLE = 0, 1, 2, 75
# What people look for, by other words.
_OTHER_NAMES = {
    "train": "pretrain",
    "fit": "pretrain",
    "evaluate": "linear_eval",
    "probe": "linear_eval",
    "test": "linear_eval",
    "predict": "classify",
    "visualize": "preview",
    "augment": "preview",
    "features": "embed",
    "encode": "embed",
    "extract": "embed",
    "duplicates": "search",
    "neighbours": "search",
    "neighbors": "search",
    "import": "convert",
    "serve": "export",
    "save": "export",
    "plot": "report",
    "speed": "benchmark",
}


def main(arguments: Sequence[str]) -> int:
    """Runs a command line.

    Args:
      arguments: what follows the program's name.

    Returns:
      The exit status: 0 done; 1 a defect of this package, or of a part of the user's
      own, with its traceback; 2 the user's mistake, said in a line on stderr; 75
      stopped by a signal and resumable with the same command.
    """
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        say(_overview())
        return DONE
    if arguments[0] == "--version":
        say(f"simclr {__version__}")
        return DONE
    with modules_noted() as named:
        return _answer(arguments[0], arguments[1:], named)


def run() -> None:
    """Entry point of the `simclr` command."""
    # Parts of the user's own are found as with `python -m`. Last, so that no file there
    # hides a module that TensorFlow imports.
    sys.path.append("")
    kept_memory.keep()
    _before_tensorflow(sys.argv[1:])
    try:
        status = main(sys.argv[1:])
    except BrokenPipeError:
        # Python flushes stdout once more at its end, and must not fail there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = DEFECT
    sys.exit(status)


def _before_tensorflow(arguments: Sequence[str]) -> None:
    """What has to be settled in a command's process before TensorFlow is imported."""
    legacy_keras.ask_for_it()
    # Records are read one by one; the default fetches 64 MiB for each of them.
    os.environ.setdefault("GCS_READAHEAD_BUFFER_SIZE_BYTES", str(256 * 1024))
    # TensorFlow's account of the machine would hide what the command says.
    if arguments and arguments[0] in COMMANDS:
        native_noise.start()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _answer(name: str, arguments: Sequence[str], named: Sequence[ModuleType]) -> int:
    """Runs a command, and says what was wrong; gives the exit status."""
    try:
        command = _find(name)
        if switches(arguments).help:
            say(command.help())
            return DONE
        command.run(command.parse(arguments))
    except Stopped as stopped:
        say(str(stopped), sys.stderr)
        return RESUMABLE
    except UserError as error:
        return _mistake(error, arguments)
    except KeyboardInterrupt:
        say(f"{_traceback(arguments)}simclr: interrupted.", sys.stderr)
        return RESUMABLE
    except BrokenPipeError:
        raise  # Whoever read the output has seen enough; see `run`.
    except Exception as error:
        short = shortage(error)
        if short is not None:
            return _mistake(short, arguments)
        say(traceback.format_exc() + how_to_go_on(error, named), sys.stderr)
        return DEFECT
    return DONE


def _mistake(error: UserError, arguments: Sequence[str]) -> int:
    """Says what was wrong."""
    say(f"{_traceback(arguments)}simclr: {_one_line(error)}", sys.stderr)
    return MISTAKE


def _traceback(arguments: Sequence[str]) -> str:
    """Where what is being answered for was raised; "" where nobody asks for it."""
    return traceback.format_exc() + "\n" if switches(arguments).debug else ""


def _find(name: str) -> Command:
    if name in COMMANDS:
        return COMMANDS[name]
    if name.startswith("-"):
        raise UsageError(
            f"The command comes first, got {name!r}: simclr COMMAND --flag=value …. "
            f"There are {', '.join(COMMANDS)}."
        )
    found = nearest(name, [*COMMANDS, *_OTHER_NAMES])
    hint = f" Did you mean {_OTHER_NAMES.get(found[0], found[0])}?" if found else ""
    raise UsageError(f"{name!r} is no command; there are {', '.join(COMMANDS)}.{hint}")


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = ["SimCLR: from unlabelled images to a trained encoder.", ""]
    lines += ["usage: simclr COMMAND [--flag=value …]", ""]
    lines += [f"  {c.name:<{width}}  {c.summary}" for c in COMMANDS.values()]
    lines += ["", "simclr COMMAND --help shows a command's flags."]
    lines += ["--debug on any command shows where a mistake was found;"]
    lines += ["TF_CPP_MIN_LOG_LEVEL=0 in the environment, all that TensorFlow says."]
    return "\n".join(lines)


def _one_line(error: UserError) -> str:
    """What an error says, without TensorFlow's account of where it was raised."""
    first: BaseException = error
    cause: BaseException | None = error
    while cause is not None:  # It is raised anew by all that traced it.
        first = cause if isinstance(cause, UserError) else first
        cause = cause.__context__ if str(first).startswith(RAISED_ANEW) else None
    lines = [line.strip() for line in str(first).splitlines() if line.strip()]
    if lines and lines[0].startswith(RAISED_ANEW):
        return lines[-1].partition(": ")[2] or lines[-1]
    return " ".join(lines) or type(error).__name__
