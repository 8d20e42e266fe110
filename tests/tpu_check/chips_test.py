"""The figures of TPU generations hang together."""

import pytest

from simclr_tf.tpu_check.chips import CHIPS, chip_of


@pytest.mark.parametrize(
    ("topology", "name"),
    [("v3:8x8", "v3"), ("v5e:4x4", "v5e"), ("v4:2x2x1", "v4"), ("v2:2x2", "v2")],
)
def test_a_topology_begins_with_its_chip(topology, name):
    assert chip_of(topology).name == name


@pytest.mark.parametrize(
    "topology", ["v3", "v3-128", "8x8", "v7:2x2", "v3:8", "", "v3:"]
)
def test_another_notation_is_refused_with_examples(topology):
    with pytest.raises(ValueError, match=r"such as v3:8x8.*got '"):
        chip_of(topology)


@pytest.mark.parametrize("chip", CHIPS.values(), ids=str)
def test_figures_are_in_their_units(chip):
    assert 16 * 2**30 <= chip.hbm_bytes <= 95 * 2**30
    assert 40e12 < chip.flops_per_second < 1e15
    # A chip reads its memory faster than it sends to others.
    assert 1e11 < chip.ici_bytes_per_second < chip.hbm_bytes_per_second < 3e12
    assert chip.source


def test_each_generation_computes_more_than_the_one_it_follows():
    peaks = [CHIPS[name].flops_per_second for name in ("v2", "v3", "v4", "v5p")]
    assert peaks == sorted(peaks)
    assert CHIPS["v5e"].flops_per_second < CHIPS["v6e"].flops_per_second
