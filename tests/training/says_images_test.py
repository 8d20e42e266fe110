"""Settings of any training say images in one form."""

import pytest

from simclr_tf.data import ImageForm
from simclr_tf.errors import UserError
from simclr_tf.training import Distillation, FineTuning, Recipe

KINDS = (Recipe, FineTuning, Distillation)


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_and_ranges_have_one_form(kind):
    assert kind(image_size="96x160").image_size == (96, 160)
    assert kind(image_size="48x48") == kind(image_size=48) == kind(image_size="48")
    assert kind(value_range="0, 4095.0") == kind(value_range="0,4095")
    assert kind(value_range="0,4095", channels=1).form == ImageForm.of(1, "0,4095")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("said", [{"image_size": "big"}, {"value_range": "1,1"}])
def test_others_are_refused(kind, said):
    with pytest.raises(UserError):
        kind(**said)
