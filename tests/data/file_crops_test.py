"""Crops of a file are those of its own pixels, whatever was decoded of it."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from simclr_tf.data.file_crops import crops_of_file
from simclr_tf.data.image_files import decode
from tests import sample_images

_BOXES = [[0, 0, 150, 200], [31, 47, 60, 50], [149, 199, 1, 1], [80, 3, 64, 90]]


def _crops(contents, boxes, side):
    boxes = tf.constant(boxes, tf.int32)
    return crops_of_file(
        tf.constant(contents), lambda size: boxes, len(boxes), side, side
    )


def _of_decoded(contents, boxes, side):
    """As published: the crop of the decoded file, resized."""
    image = tf.image.convert_image_dtype(decode(contents), tf.float32)
    crops = [image[y : y + h, x : x + w] for y, x, h, w in boxes]
    return [tf.image.resize(crop, [side, side], "bicubic") for crop in crops]


def _apart(contents, boxes, side):
    """Mean differences of crops from those of the decoded file, in [0, 1]."""
    crops, _ = _crops(contents, boxes, side)
    assert crops.dtype == tf.uint8
    assert crops.shape == [len(boxes), side, side, 3]
    expected = _of_decoded(contents, boxes, side)
    return [
        np.abs(crop.numpy() / 255.0 - np.clip(other, 0.0, 1.0)).mean()
        for crop, other in zip(crops, expected)
    ]


def _file(form, **settings):
    file = io.BytesIO()
    picture = Image.fromarray(sample_images.photo(150, 200, 5))
    picture.save(file, form, **settings)
    return file.getvalue()


@pytest.mark.parametrize("side", [24, 64])
@pytest.mark.parametrize(
    ("form", "settings"),
    [
        ("JPEG", {"quality": 92}),
        ("JPEG", {"quality": 80, "progressive": True}),
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("PNG", {}),
    ],
)
def test_crops_are_those_of_the_decoded_file_to_half_a_level(form, settings, side):
    contents = _file(form, **settings)
    # Together the boxes need the whole file, and alone a window of it.
    for boxes in (_BOXES, _BOXES[1:2], _BOXES[3:]):
        assert max(_apart(contents, boxes, side)) < 0.5 / 255


def test_a_grey_jpeg_gives_three_equal_channels():
    file = io.BytesIO()
    Image.fromarray(sample_images.photo(150, 200, 5)).convert("L").save(file, "JPEG")
    crops, size = _crops(file.getvalue(), _BOXES, 32)
    assert size.numpy().tolist() == [150, 200]
    np.testing.assert_array_equal(crops[..., 0], crops[..., 1])
    assert max(_apart(file.getvalue(), _BOXES, 32)) < 0.5 / 255


@pytest.mark.parametrize("ratio", [2, 4, 8])
def test_a_jpeg_reduced_while_it_is_decoded_shows_the_same(ratio, monkeypatch):
    """Sides that no ratio divides, boxes that begin between pixels that are left."""
    picture = Image.fromarray(sample_images.photo(201, 233, 6))
    file = io.BytesIO()
    picture.resize([701, 603], Image.BICUBIC).save(file, "JPEG", quality=95)
    boxes = [[3, 5, 600, 690], [101, 13, 259, 401]]
    side = 259 // (6 * ratio)
    asked = []

    def decode_and_crop(*args, ratio, **kwargs):
        asked.append(ratio)
        return decode_and_crop_jpeg(*args, ratio=ratio, **kwargs)

    decode_and_crop_jpeg = tf.io.decode_and_crop_jpeg
    monkeypatch.setattr(tf.io, "decode_and_crop_jpeg", decode_and_crop)
    apart = _apart(file.getvalue(), boxes, side)
    assert asked == [ratio]
    assert max(apart) < 2 / 255
    # A box that is moved by half a pixel of the view is told apart.
    moved = [[y + 5 * ratio, x + 5 * ratio, h, w] for y, x, h, w in boxes[1:]]
    crops, _ = _crops(file.getvalue(), boxes[1:], side)
    (other,) = _of_decoded(file.getvalue(), moved, side)
    assert np.abs(crops[0].numpy() / 255.0 - np.clip(other, 0, 1)).mean() > 0.01


def test_boxes_are_drawn_on_the_height_and_width_in_the_file():
    for form in ("JPEG", "PNG"):
        asked = []

        def draw(size, asked=asked):
            asked.append(size.numpy().tolist())
            return tf.constant([[0, 0, 8, 8]])

        crops_of_file(tf.constant(_file(form)), draw, 1, 8, 8)
        assert asked == [[150, 200]]


def test_a_damaged_file_is_refused():
    contents = _file("JPEG", quality=92)
    for damaged in (contents[: len(contents) // 2], b"no image at all"):
        with pytest.raises(tf.errors.InvalidArgumentError):
            _crops(damaged, [[0, 0, 150, 200]], 16)
