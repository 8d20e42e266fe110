"""Alone, a process agrees with itself; with others, see pretrain_workers_test."""

import tensorflow as tf

from simclr_tf.distribution.crew import Crew


def test_a_process_alone_is_chief_and_decides():
    for strategy in (
        tf.distribute.get_strategy(),
        tf.distribute.OneDeviceStrategy("CPU:0"),
    ):
        crew = Crew(strategy)
        assert (crew.count, crew.is_chief, crew.task) == (1, True, ("worker", 0))
        assert crew.agree(1, True)
        assert not crew.agree(1, False)
