"""What a command is: a name, its flags, and what it does."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import math
from collections.abc import Callable, Sequence

from absl import flags

from simclr_tf.cli import switches
from simclr_tf.cli.flag_errors import no_flag, what_is_wrong
from simclr_tf.errors import UserError


class UsageError(UserError):
    """A mistake in the command line; the message says what to do."""


@dataclasses.dataclass(frozen=True)
class Work:
    """What a command's module gives by the name WORK: its flags, and what it does.

    Args:
      define: adds the command's flags to a `FlagValues`.
      run: does the work, given the parsed flags.
      example: a command line worth copying.
      positional: the flag of several values that words without dashes belong to; ""
        where there may be none.
    """

    define: Callable[[flags.FlagValues], None]
    run: Callable[[flags.FlagValues], None]
    example: str
    positional: str = ""


@dataclasses.dataclass(frozen=True)
class Command:
    """A command of the command line, whose module is imported when it is asked for.

    Args:
      name: as it is typed.
      summary: one line on what it does.
      module: the full name of the module that has its `Work`.
    """

    name: str
    summary: str
    module: str

    @functools.cached_property
    def work(self) -> Work:
        """Its flags, and what it does; the first use imports TensorFlow."""
        return importlib.import_module(self.module).WORK

    def run(self, values: flags.FlagValues) -> None:
        """Does the work, given the parsed flags."""
        self.work.run(values)

    def parse(self, arguments: Sequence[str]) -> flags.FlagValues:
        """The command's flags from what follows its name.

        Raises:
          UsageError: where a flag is unknown or its value is not of its kind.
        """
        values = flags.FlagValues()
        self.work.define(values)
        flags.DEFINE_string(
            "flagfile", "", "file with more flags, one a line", flag_values=values
        )
        flags.DEFINE_string("undefok", "", "flags to ignore", flag_values=values)
        switches.define(values)
        values.set_gnu_getopt(bool(self.work.positional))
        try:
            rest = values([f"simclr {self.name}", *arguments])[1:]
        except (flags.Error, OSError, UnicodeDecodeError) as error:
            wrong = what_is_wrong(error, values, arguments, self.name)
            raise UsageError(f"{wrong} See simclr {self.name} --help.") from error
        if self.work.positional:
            flag = values[self.work.positional]
            flag.value = [*(flag.value or []), *rest]
        elif rest:
            wrong = no_flag(rest, values)
            raise UsageError(f"{wrong} See simclr {self.name} --help.")
        for name in values:
            _require_number(name, values[name].value)
        return values

    def help(self) -> str:
        """What the command does, its flags and their defaults."""
        values = flags.FlagValues()
        self.work.define(values)
        switches.define(values)
        lines = [self.summary, "", f"  {self.work.example}", "", "Flags:"]
        for name in values:
            if name != switches.HELP:
                lines += _flag_help(values[name])
        lines.append("  --flagfile=FILE")
        lines.append("        more flags from a file, one a line")
        return "\n".join(lines)


def _require_number(name: str, value: object) -> None:
    """Raises UsageError for numbers that no setting can be."""
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"--{name} must be a finite number, got {value}.")
    if isinstance(value, int) and abs(value) >= 2**32:
        raise UsageError(f"--{name} must be below 4294967296, got {value}.")


def _flag_help(flag: flags.Flag) -> list[str]:
    is_switch = isinstance(flag.parser, flags.BooleanParser)
    shown = f"  --[no]{flag.name}" if is_switch else f"  --{flag.name}=…"
    text = flag.help
    choices = getattr(flag.parser, "enum_values", None)
    if choices:
        text += f"; one of {', '.join(choices)}"
    if flag.default is not None and flag.default != "":
        default = str(flag.default).lower() if is_switch else flag.default
        text += f" (default: {default})"
    return [shown, f"        {text}"]
