"""Photographs are turned as their EXIF asks for."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from simclr_tf.data.file_crops import crops_of_file
from simclr_tf.data.image_files import decode, decode_in_graph
from simclr_tf.data.orientation import orientation


def _photograph(turn=None, byte_order="II", thumbnail=b"", **settings):
    rows = np.random.default_rng(0).integers(0, 256, [3, 4, 3], np.uint8)
    image = Image.fromarray(np.kron(rows, np.ones([8, 8, 1], np.uint8)))
    exif = Image.Exif()
    exif[0x010F] = "A camera of some name"
    exif[0x0131] = "x" * 500
    if turn is not None:
        exif[0x0112] = turn
    data = exif.tobytes()
    if byte_order == "MM":
        exif.endian = ">"
        data = exif.tobytes()
    file = io.BytesIO()
    image.save(file, "JPEG", exif=data, quality=95, subsampling=0, **settings)
    return file.getvalue()


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_photograph_is_turned_as_pillow_turns_it(turn):
    contents = _photograph(turn)
    assert int(orientation(contents)) == turn
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(contents)))
    for read in (decode, decode_in_graph):
        got = read(contents).numpy().astype(int)
        assert got.shape == np.asarray(expected).shape
        assert np.abs(got - np.asarray(expected)).max() < 12


def test_either_order_of_bytes_is_read():
    contents = _photograph(6, byte_order="MM")
    assert b"Exif\0\0MM" in contents
    assert int(orientation(contents)) == 6


def test_exif_is_read_with_and_without_a_segment_of_jfif():
    contents = _photograph(8)
    assert contents[6:10] == b"JFIF"
    assert int(orientation(contents)) == 8
    assert int(orientation(contents[:2] + contents[20:])) == 8


@pytest.mark.parametrize("length", [0, 3, 11, 20, 33, 60])
def test_what_does_not_say_is_left_as_it_is(length):
    assert int(orientation(_photograph())) == 1
    assert int(orientation(_photograph(9))) == 1
    assert int(orientation(_photograph(6)[:length])) in (1, 6)
    assert int(orientation(b"\x89PNG" + _photograph(6))) == 1


def test_damaged_exif_is_no_error():
    whole = _photograph(6)
    generator = np.random.default_rng(0)
    for _ in range(10):
        contents = bytearray(whole)
        for place in generator.integers(2, 80, 4):
            contents[place] = generator.integers(256)
        assert 1 <= int(orientation(bytes(contents))) <= 8


def test_a_crop_is_cut_from_the_photograph_as_it_is_seen():
    contents = _photograph(6)
    seen = decode(contents)
    box = [[0, 0, *seen.shape[:2]]]
    crops, size = crops_of_file(contents, lambda _: tf.constant(box), 1, 32, 24)
    np.testing.assert_array_equal(size, [32, 24])
    np.testing.assert_array_equal(crops[0], seen)
