"""What is said of a flag that does not exist or does not take its value."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence

from absl import flags

from simclr_tf.suggestions import did_you_mean, nearest

# What other programs, the published code among them, call our flags.
_OTHER_NAMES = {
    "lr": ("learning_rate",),
    "wd": ("weight_decay",),
    "bs": ("batch_size",),
    "train_batch_size": ("batch_size",),
    "train_epochs": ("epochs",),
    "time": ("minutes",),
    "model": ("encoder", "run"),
    "arch": ("encoder",),
    "architecture": ("encoder",),
    "backbone": ("encoder",),
    "network": ("encoder",),
    "resnet_depth": ("encoder",),
    "data": ("dataset",),
    "data_dir": ("dataset",),
    "images": ("dataset",),
    "input": ("dataset",),
    "path": ("dataset", "run"),
    "loss": ("method",),
    "augmentations": ("views",),
    "transforms": ("views",),
    "resolution": ("image_size",),
    "size": ("image_size",),
    "model_dir": ("run", "output"),
    "out": ("output", "run"),
    "output": ("run",),
    "output_dir": ("run", "output"),
    "logdir": ("run",),
    "checkpoint": ("run", "published", "init"),
    "ckpt": ("run", "published", "init"),
    "weights": ("init", "published", "run"),
    "pretrained": ("init", "published"),
    "resume": ("run",),
    "labels": ("train_labels",),
    "label_fraction": ("train_labels",),
    "color_jitter_strength": ("color_strength",),
    "num_proj_layers": ("head_layers",),
    "proj_out_dim": ("head_out_dim",),
    "gpus": ("strategy",),
    "mixed_precision": ("precision",),
    "fp16": ("precision",),
    "neighbors": ("k",),
    "neighbours": ("k",),
}
_KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false"}


def what_is_wrong(
    error: Exception, values: flags.FlagValues, arguments: Sequence[str], command: str
) -> str:
    """One or two sentences on an error of absl's, which end with a full stop.

    Args:
      error: raised while flags were parsed.
      values: the flags that there are.
      arguments: that were parsed.
      command: whose flags they are.
    """
    if isinstance(error, flags.UnrecognizedFlagError):
        whose = _flagfile_of_another(arguments, command)
        return f"{_unknown(error.flagname, values)}{whose}"
    said = re.match(r"flag --(\w+)=", str(error))
    if isinstance(error, flags.IllegalFlagValueError) and said and said[1] in values:
        return _illegal(error, values[said[1]])
    missing = re.search(r"Missing value for flag --(\w+)", str(error))
    if missing:
        return f"--{missing[1]} needs a value: --{missing[1]}=…."
    opened = re.search(r"Unable to open flagfile: .*?('.*')", str(error))
    if opened:
        return f"The file of --flagfile cannot be opened: {opened[1]}."
    text = str(error).removeprefix("ERROR:: ").strip()
    return text if text.endswith((".", "?", "!")) else f"{text}."


def no_flag(words: list[str], values: flags.FlagValues) -> str:
    """Of words without dashes, where a command takes none.

    Args:
      words: as they were typed.
      values: the flags that there are.
    """
    name, equals, value = words[0].partition("=")
    found = nearest(name, _shown(values)) if equals else []
    hint = f" Did you mean --{found[0]}={value}?" if found else ""
    if not equals and "run" in values and os.path.isdir(name):
        hint = f" Did you mean --run={name}?"
    return f"{' '.join(words)!r} is no flag: flags are --name=value.{hint}"


def _unknown(name: str, values: flags.FlagValues) -> str:
    own = _shown(values)
    others = [each for each in _OTHER_NAMES.get(name, ()) if each in own]
    hint = f" It is called --{others[0]} here." if others else ""
    hint = hint or did_you_mean(name, own, form="--{}", count=2)
    return f"There is no flag --{name}.{hint}"


def _flagfile_of_another(arguments: Sequence[str], command: str) -> str:
    """The sentence on a file of flags that a run of another command wrote, or ""."""
    # It takes TensorFlow, which commands are found without.
    from simclr_tf.training.flagfile import stated_command

    for path in _flagfiles(arguments):
        with contextlib.suppress(OSError, UnicodeDecodeError), open(path) as file:
            theirs = stated_command(file.read())
            if theirs not in (None, command):
                return f" {path} is of simclr {theirs}."
    return ""


def _flagfiles(arguments: Sequence[str]) -> Iterator[str]:
    """The files of --flagfile, which absl takes in one word or in two."""
    for word, following in zip(arguments, [*arguments[1:], ""]):
        name, equals, path = word.lstrip("-").partition("=")
        if name == "flagfile" and word.startswith("-"):
            yield os.path.expanduser(path if equals else following)


def _shown(values: flags.FlagValues) -> list[str]:
    return [name for name in values if name != "undefok"]


def _illegal(error: Exception, flag: flags.Flag) -> str:
    """Of a value that a flag does not take."""
    reason = str(error.__context__ or error.__cause__ or "")
    value = str(error).removeprefix(f"flag --{flag.name}=")
    value = value.removesuffix(f": {reason}") if reason else value
    choices = getattr(flag.parser, "enum_values", None)
    if choices:
        hint = did_you_mean(value, choices)
        return _must_be(flag, f"one of {', '.join(choices)}", value) + hint
    kind = _KINDS.get(flag.flag_type())
    if kind and not _is_number(value):
        return _must_be(flag, kind, value)
    if kind == _KINDS["int"] and not re.fullmatch(r"[+-]?\d+", value.strip()):
        return _must_be(flag, kind, value)
    lowest = getattr(flag.parser, "lower_bound", None)
    highest = getattr(flag.parser, "upper_bound", None)
    if kind and lowest is not None and highest is not None:
        return _must_be(flag, f"{lowest:g} to {highest:g}", value)
    if kind and lowest is not None:
        return _must_be(flag, f"{lowest:g} or more", value)
    return reason if reason.endswith((".", "?")) else f"{error}."


def _must_be(flag: flags.Flag, what: str, value: str) -> str:
    return f"--{flag.name} must be {what}, got {value!r}."


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
