"""Small pictures lie in one file, at the place that the page shows."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from simclr_tf.report.thumbnails import sheet, sheet_within, thumbnails


def pixels(made):
    data = base64.b64decode(made.uri.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)))


def test_each_picture_is_at_its_place():
    tiles = np.zeros((7, 16, 24, 3), np.uint8)
    tiles[:, ..., 0] = 30 * np.arange(7)[:, None, None]
    made = sheet(tiles)
    whole = pixels(made)
    assert whole.shape == (made.rows * 16, made.columns * 24, 3)
    for place in range(7):
        row, column = divmod(place, made.columns)
        cell = whole[row * 16 + 4 : row * 16 + 12, column * 24 + 4 : column * 24 + 20]
        np.testing.assert_allclose(cell[..., 0].mean(), 30 * place, atol=3)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_any_number_of_channels_is_drawn(channels):
    images = np.random.default_rng(0).random((3, 20, 30, channels), np.float32)
    made = thumbnails(images, 15)
    assert made.shape == (3, 10, 15, 3)
    assert made.dtype == np.uint8
    if channels == 1:
        assert (made[..., 0] == made[..., 2]).all()


def test_pictures_are_not_enlarged():
    assert thumbnails(np.ones((1, 8, 8, 3), np.float32), 64).shape == (1, 8, 8, 3)


def test_a_sheet_keeps_to_its_room():
    tiles = np.random.default_rng(0).integers(0, 256, (100, 32, 32, 3), np.uint8)
    room = 60_000
    made = sheet_within(tiles, room)
    assert len(made.uri) <= room
    assert made.rows * made.columns >= 100
