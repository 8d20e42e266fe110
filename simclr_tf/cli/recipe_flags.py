"""Flags of a recipe, made from its fields."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Collection

from absl import flags

from simclr_tf.training import Recipe
from simclr_tf.training.flagfile import setting_kind

_DEFINE = {
    bool: flags.DEFINE_boolean,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
}


def define(values: flags.FlagValues, only: Collection[str] | None = None) -> None:
    """Adds a flag for each setting of a recipe, or for `only` those named."""
    types = typing.get_type_hints(Recipe)
    for field in _fields(only):
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
    return Recipe(**{field.name: values[field.name].value for field in _fields(only)})


def _fields(only: Collection[str] | None) -> list[dataclasses.Field]:
    fields = dataclasses.fields(Recipe)
    return [field for field in fields if only is None or field.name in only]
