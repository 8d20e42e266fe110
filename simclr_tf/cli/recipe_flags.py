"""Flags of a run's settings, made from the fields that say them."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Collection
from typing import Any

from absl import flags

from simclr_tf.training import Recipe
from simclr_tf.training.flagfile import setting_kind

_DEFINE = {
    bool: flags.DEFINE_boolean,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
}


def define(
    values: flags.FlagValues,
    only: Collection[str] | None = None,
    said: Any = Recipe,
) -> None:
    """Adds a flag for each setting, or for `only` those named.

    Args:
      values: that flags are added to.
      only: names of settings.
      said: the dataclass of settings as a user says them, see `SettingsKind`.
    """
    types = typing.get_type_hints(said)
    for field in _fields(said, only):
        kind = setting_kind(types[field.name])
        choices, text = field.metadata["choices"], field.metadata["help"]
        default = field.default
        if kind is str and default is not None:
            default = str(default)  # A number that may be a text.
        if choices:
            flags.DEFINE_enum(field.name, default, choices, text, flag_values=values)
        else:
            _DEFINE[kind](field.name, default, text, flag_values=values)


def recipe(values: flags.FlagValues, only: Collection[str] | None = None) -> Recipe:
    """The recipe that parsed flags say."""
    return settings(values, Recipe, only)


def settings(
    values: flags.FlagValues, said: Any, only: Collection[str] | None = None
) -> Any:
    """The settings that parsed flags say, of the dataclass `said`."""
    fields = _fields(said, only)
    return said(**{field.name: values[field.name].value for field in fields})


def _fields(said: Any, only: Collection[str] | None) -> list[dataclasses.Field]:
    fields = dataclasses.fields(said)
    return [field for field in fields if only is None or field.name in only]
