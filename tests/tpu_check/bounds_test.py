"""Least times of a step, by hand."""

import pytest

from simclr_tf.tpu_check.bounds import CollectiveTotal, bounds, least_sent
from simclr_tf.tpu_check.chips import Chip

CHIP = Chip("v0", 2**30, 100e12, 1e12, 200e9, "made up")


def total(kind, size, group=8):
    return CollectiveTotal(kind, group, 1, size)


def test_the_largest_part_is_the_bound():
    found = bounds(
        CHIP,
        cores_per_chip=2,
        flops=1e12,
        hbm_bytes=5e9,
        collectives=[total("all-reduce", 1e9)],
    )
    # Two cores share a chip; 2 GB less a fourth of it leave each of four chips.
    assert found.compute == pytest.approx(0.020)
    assert found.memory == pytest.approx(0.010)
    assert found.interconnect == pytest.approx(1.5e9 / 200e9)
    assert (found.seconds, found.limit) == (found.compute, "compute")


def test_cores_of_one_chip_need_no_link():
    assert least_sent(total("all-reduce", 1e9, group=2), 2) == 0.0
    assert bounds(CHIP, 1, flops=0, hbm_bytes=0, collectives=[]).interconnect == 0.0


def test_a_sum_is_a_scatter_and_a_gather():
    summed = least_sent(total("all-reduce", 800), 1)
    # The result of a scatter is an eighth of what goes in.
    scattered = least_sent(total("reduce-scatter", 100), 1)
    gathered = least_sent(total("all-gather", 800), 1)
    assert summed == pytest.approx(scattered + gathered) == pytest.approx(1400)


def test_what_may_stay_within_a_chip_is_counted_as_nothing():
    assert least_sent(total("collective-permute", 800), 1) == 0.0
    assert least_sent(total("all-to-all", 800), 1) == pytest.approx(700)
