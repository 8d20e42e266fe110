"""A size is a side, or height and width, in one form."""

import numpy as np
import pytest

from simclr_tf.errors import UserError
from simclr_tf.image_size import (
    height_and_width,
    image_size_text,
    longer_side,
    parse_image_size,
    scaled_to,
    shorter_side,
)


@pytest.mark.parametrize(
    ("given", "size"),
    [
        (96, 96),
        ("96", 96),
        ("96x160", (96, 160)),
        ((96, 160), (96, 160)),
        ([96, 160], (96, 160)),
        ("96x96", 96),
        (np.int64(32), 32),
    ],
)
def test_every_way_to_say_it_comes_to_one(given, size):
    parsed = parse_image_size(given)
    assert parsed == size
    assert parse_image_size(image_size_text(parsed)) == size


@pytest.mark.parametrize("given", ["96x", "x", "96x160x3", "-96", (1, 2, 3), "96 px"])
def test_others_are_refused(given):
    with pytest.raises(UserError, match=r"such as 96, or height and width.*96x160"):
        parse_image_size(given)
    with pytest.raises(UserError, match="view_size must be 1 or more"):
        parse_image_size((0, 4), "view_size")


def test_sides():
    assert height_and_width(8) == (8, 8)
    assert (shorter_side((96, 160)), longer_side((96, 160))) == (96, 160)
    assert scaled_to((96, 160), 60) == (60, 100)
    assert scaled_to(96, 60) == 60
