"""Which step belongs to which epoch."""

import pytest

from simclr_tf.training.calendar import Calendar


def test_epochs_of_one_length():
    calendar = Calendar(epochs=3, steps_per_epoch=4)
    assert calendar.total == 12
    epochs = [calendar.epoch_of(step) for step in range(12)]
    assert epochs == [0] * 4 + [1] * 4 + [2] * 4
    assert calendar.data_step(7) == 7


@pytest.mark.parametrize("offset", [-3, 0, 2])
def test_an_epochs_end_is_a_whole_number_and_other_steps_are_fractions(offset):
    calendar = Calendar(epochs=3, steps_per_epoch=4, offset=offset)
    steps = range(offset + 1, calendar.total + 1)
    found = [calendar.epoch_at(step) for step in steps]
    assert found == [step / 4 for step in range(1, 13)]
    whole = [type(epoch) is int for epoch in found]
    assert whole == [False, False, False, True] * 3
    assert [calendar.is_end(step) for step in steps] == whole
    ends = [calendar.next_end(step) - offset for step in steps]
    assert ends == [4] * 3 + [8] * 4 + [12] * 4 + [16]


def test_ends_that_are_noted_are_fewer_where_epochs_are_short():
    calendar = Calendar(epochs=8, steps_per_epoch=2, noted_every=3)
    ends = [step for step in range(1, 17) if calendar.is_end(step)]
    assert ends == [6, 12, 16]
    assert calendar.next_end(0) == 6
    assert calendar.epoch_at(6) == 3
    assert calendar.epoch_at(2) == 1
    assert calendar.anew(2, 5, 4).noted_every == 3
