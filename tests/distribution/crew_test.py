"""A crew is of one mind, whether it is one process or several."""

import pytest
import tensorflow as tf

from simclr_tf.distribution.crew import Crew


def test_a_process_alone_is_chief_and_decides():
    for strategy in (
        tf.distribute.get_strategy(),
        tf.distribute.OneDeviceStrategy("CPU:0"),
    ):
        crew = Crew(strategy)
        assert (crew.count, crew.is_chief, crew.task) == (1, True, ("worker", 0))
        assert crew.meets(1)
        assert crew.agree(1, [True, False]) == [True, False]
        crew.require_same({"step": 3})


def _agreed(strategy, raised):
    """Of a worker: what it is, and what it hears where one of them raises its flag."""
    crew = Crew(strategy)
    assert crew.meets(1)
    mine = [crew.task[1] == raised, crew.task[1] == 0]
    return crew.count, crew.task, crew.is_chief, crew.agree(1, mine)


@pytest.mark.slow
@pytest.mark.xdist_group("replicas of workers")
@pytest.mark.parametrize("raised", [0, 1, None])
def test_a_flag_of_any_worker_is_seen_by_all(workers, raised):
    chief, other = workers(_agreed, raised=raised)
    agreed = [raised is not None, True]
    assert chief == (2, ("worker", 0), True, agreed)
    assert other == (2, ("worker", 1), False, agreed)
