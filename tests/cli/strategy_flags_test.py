"""Flags of devices become the strategy they name."""

import pytest
import tensorflow as tf
from absl import flags

from simclr_tf.cli import strategy_flags


def _parsed(*arguments):
    values = flags.FlagValues()
    strategy_flags.define(values)
    values(["simclr", *arguments])
    return values


def test_the_default_takes_what_is_there(capsys):
    strategy = strategy_flags.strategy(_parsed())
    assert isinstance(strategy, tf.distribute.Strategy)
    assert capsys.readouterr().out.startswith("Devices: ")


def test_the_strategy_named_is_made():
    strategy = strategy_flags.strategy(_parsed("--strategy=one"))
    assert isinstance(strategy, tf.distribute.OneDeviceStrategy)
    with pytest.raises(ValueError, match="No TPU answers as 'local'"):
        strategy_flags.strategy(_parsed("--strategy=tpu"))
