"""A crew is of one mind, whether it is one process or several."""

import pytest
import tensorflow as tf

from simclr_tf.distribution.crew import Crew
from simclr_tf.errors import UserError


def test_a_process_alone_is_chief_and_decides():
    for strategy in (
        tf.distribute.get_strategy(),
        tf.distribute.OneDeviceStrategy("CPU:0"),
    ):
        crew = Crew(strategy)
        assert (crew.count, crew.is_chief, crew.task) == (1, True, ("worker", 0))
        assert crew.meets(1)
        assert crew.agree(1, [True, False]) == [True, False]
        assert crew.mean([0.5, 3.0]) == [0.5, 3.0]
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


def _means(strategy):
    """Of a worker: the mean of the workers' numbers."""
    crew = Crew(strategy)
    return crew.mean([crew.task[1], 0.5])


@pytest.mark.slow
@pytest.mark.xdist_group("replicas of workers")
def test_a_mean_is_over_workers(workers):
    assert workers(_means) == [[0.5, 0.5]] * 2


def _refused(strategy, steps):
    """Of a worker: what it hears where each knows of another step."""
    crew = Crew(strategy)
    try:
        crew.require_same({"data": "ours", "step": steps[crew.task[1]]})
    except UserError as error:
        return str(error)
    return None


@pytest.mark.slow
@pytest.mark.xdist_group("replicas of workers")
def test_workers_of_different_states_all_refuse(workers):
    assert workers(_refused, steps=[4, 4]) == [None, None]
    for said in workers(_refused, steps=[4, 0]):
        assert "differ in step (worker 1 differs from worker 0" in said
        assert "data" not in said.partition(":")[2].partition(".")[0]
