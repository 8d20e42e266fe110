"""Settings of a run as a file of flags, which the command line reads too.

Its first line, a comment to the command line, says which version wrote it and in which
form its settings are. Files of versions before that have no such line.
"""

from __future__ import annotations

import dataclasses
import os
import re
import typing
from typing import Any

from simclr_tf.errors import UserError
from simclr_tf.image_size import image_size_text
from simclr_tf.training.recipe import Recipe, ResolvedRecipe
from simclr_tf.training.run_files import RunFolderError
from simclr_tf.version import __version__

# Raised where a version would misunderstand settings that a later one wrote: a name has
# another meaning, or what a new name leaves out is no longer what it was. Not where a
# setting is added whose default is what runs were before.
FORM = 1
_FIRST_LINE = "# Settings of simclr_tf {}, form {}."
# The second line, of all but pretrain.
_COMMAND = "# Of simclr {}."


@dataclasses.dataclass(frozen=True)
class SettingsKind:
    """The settings of one command's runs.

    Attributes:
      command: the command.
      said: a dataclass of settings as the user says them, each field with the metadata
        of a `Recipe`'s.
      resolved: its complete counterpart, whose `of` makes it of a complete one.
    """

    command: str
    said: Any
    resolved: Any

    @property
    def may_change(self) -> set[str]:
        """Settings that do not change the training."""
        return {
            field.name
            for field in dataclasses.fields(self.said)
            if not field.metadata["changes_training"]
        }


PRETRAINING = SettingsKind("pretrain", Recipe, ResolvedRecipe)


def to_flagfile(settings: Any, kind: SettingsKind = PRETRAINING) -> str:
    """Settings as flags, one a line; those that are None are left out."""
    lines = [_FIRST_LINE.format(__version__, FORM) + "\n"]
    if kind is not PRETRAINING:
        lines.append(_COMMAND.format(kind.command) + "\n")
    for name, value in dataclasses.asdict(settings).items():
        if value is None:
            continue
        value = str(value).lower() if isinstance(value, bool) else value
        value = image_size_text(settings.image_size) if name == "image_size" else value
        lines.append(f"--{name}={value}\n")
    return "".join(lines)


def command_of(text: str) -> str:
    """The command whose settings a file of flags holds."""
    pattern = re.escape(_COMMAND).replace(r"\{\}", r"(\w+)")
    found = re.search(f"^{pattern}$", text, re.MULTILINE)
    return found[1] if found else PRETRAINING.command


def stated_command(text: str) -> str | None:
    """As `command_of`; None where no run wrote the file, as far as it says."""
    return command_of(text) if _first_line(text) else None


def from_flagfile(text: str, path: str, kind: SettingsKind = PRETRAINING) -> Any:
    """The settings that `to_flagfile` wrote; empty lines and comments are passed over.

    Raises:
      RunFolderError: where the settings are of another command or of a newer form, a
        line is not a flag of that command, or a flag is missing; it names `path`.
    """
    _require_known_form(text, path)
    command = command_of(text)
    if command != kind.command:
        raise RunFolderError(_of_another_command(text, path, command, kind.command))
    types = typing.get_type_hints(kind.said)
    values: dict[str, Any] = {}
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith(("#", "//")):
            continue
        name, _, value = line.removeprefix("--").partition("=")
        if re.fullmatch(r"--\w+(=.*)?", line) and name not in types:
            raise RunFolderError(
                f"{path}: --{name} is no setting of simclr_tf {__version__}. Use the "
                "version that made the run, which may be newer, or mend the line "
                f"{line!r}."
            )
        try:
            values[name] = _parse(value, setting_kind(types[name]))
        except (KeyError, ValueError):
            raise RunFolderError(f"{path}: cannot read the line {line!r}.") from None
    if len(values) < len(types) // 4:
        raise RunFolderError(
            f"{path} holds {len(values)} settings, and a run has more than "
            f"{len(types) // 2}: it was cut short, or is no run's. Restore it from a "
            "copy, or choose another folder with --run."
        )
    try:
        return kind.resolved.of(kind.said(**values))
    except UserError as error:
        raise RunFolderError(f"{path}: {error}") from None


def _of_another_command(text: str, path: str, command: str, needed: str) -> str:
    """What is said of a run that another command made."""
    folder = os.path.dirname(path)
    began = re.search(r"^--(?:init|teacher)=(.+)$", text, re.MULTILINE)
    if needed == PRETRAINING.command:
        such = f" ({folder} began from {began[1]})" if began else ""
    else:
        flag = {"finetune": "init", "distill": "teacher"}.get(needed, "init")
        such = f' ("simclr {needed} --{flag}={folder} --run=FOLDER" makes one)'
    return (
        f"{folder} holds a run of simclr {command}, where one of simclr {needed} is "
        f"needed: name such a run{such}, or a folder for a new one."
    )


def _require_known_form(text: str, path: str) -> None:
    found = _first_line(text)
    if found and (not found[2].isdigit() or int(found[2]) > FORM):
        raise RunFolderError(
            f"{path} holds settings of form {found[2]}, which simclr_tf {found[1]} "
            f"wrote; simclr_tf {__version__} knows those up to {FORM}. Use that "
            "version or a later one."
        )


def _first_line(text: str) -> re.Match[str] | None:
    """The line with the version and the form of settings; None of other files."""
    pattern = re.escape(_FIRST_LINE).replace(r"\{\}", "(.+)")
    return re.search(f"^{pattern}$", text, re.MULTILINE)


def setting_kind(annotation: Any) -> type:
    """What a setting is read as, by its annotation: str where it may be a text."""
    kinds = [k for k in typing.get_args(annotation) if k is not type(None)]
    if not kinds:
        return annotation
    return str if str in kinds else kinds[0]


def _parse(value: str, kind: type) -> Any:
    return {"true": True, "false": False}[value] if kind is bool else kind(value)
