"""A header's claim is read right, and refused before memory is taken for it."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from simclr_tf.data.image_files import decode, to_canvas
from simclr_tf.data.image_headers import MAX_PIXELS, claimed_size, gif_pixels


def _file(form, height=20, width=29, **settings):
    pixels = np.random.default_rng(0).integers(0, 256, [height, width, 3], np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **settings)
    return file.getvalue()


def _claiming(form, height, width):
    """A small file whose header claims another size."""
    contents = bytearray(_file(form))
    if form == "PNG":
        contents[16:24] = struct.pack(">II", width, height)
    elif form == "GIF":
        contents[6:10] = struct.pack("<HH", width, height)
    elif form == "BMP":
        contents[18:26] = struct.pack("<ii", width, height)
    else:
        frame = contents.index(b"\xff\xc0")
        contents[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(contents)


@pytest.mark.parametrize("form", ["PNG", "GIF", "BMP", "JPEG"])
def test_the_size_in_the_header_is_found(form):
    assert claimed_size(_file(form)).numpy().tolist() == [20, 29]
    assert claimed_size(_file(form, 300, 700)).numpy().tolist() == [300, 700]


def test_a_bmp_of_negative_height_is_stored_from_the_top():
    assert claimed_size(_claiming("BMP", -20, 29)).numpy().tolist() == [20, 29]


@pytest.mark.parametrize("contents", [b"", b"B", b"hello", b"\x89PNG", b"RIFF" * 20])
def test_other_files_are_left_to_the_decoder(contents):
    claimed_size(contents)
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(contents)


@pytest.mark.parametrize(
    ("form", "height", "width"),
    [
        ("PNG", 2**31 - 1, 2**31 - 1),
        ("PNG", 2**16, 2**16),
        ("PNG", 0, 29),
        ("GIF", 65_535, 65_535),
        ("GIF", 20, 0),
        ("BMP", 2**31 - 1, 2**31 - 1),
        ("BMP", -(2**31), 29),
        ("BMP", 0, 29),
        ("JPEG", 65_500, 65_500),
    ],
)
@pytest.mark.parametrize("read", [decode, lambda contents: to_canvas(contents, 16)])
def test_a_claim_of_too_many_pixels_or_none_is_refused(form, height, width, read):
    with pytest.raises(tf.errors.InvalidArgumentError, match="the header claims"):
        read(_claiming(form, height, width))


def test_it_is_refused_in_a_pipeline_too():
    files = tf.data.Dataset.from_tensors(_claiming("GIF", 65_535, 65_535))
    with pytest.raises(tf.errors.InvalidArgumentError, match="claims 65535 x 65535"):
        list(files.map(lambda contents: to_canvas(contents, 16)))


def test_a_large_photograph_is_read():
    # 40 million pixels; small as a file, for it is of one colour.
    file = io.BytesIO()
    Image.new("L", (8000, 5000), 99).save(file, "JPEG")
    image, size = to_canvas(file.getvalue(), 16)
    assert size.numpy().tolist() == [5000, 8000]
    assert (image[:16].numpy() == 99).all()
    assert MAX_PIXELS > 8000 * 5000


def test_all_frames_of_a_gif_count():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, [9, 7], np.uint8))
    frames = [image.rotate(90 * turn) for turn in range(1, 4)]
    file = io.BytesIO()
    image.save(file, "GIF", save_all=True, append_images=frames)
    assert 9 * 7 < gif_pixels(file.getvalue()) <= 4 * 9 * 7
    assert gif_pixels(_file("GIF")) == 20 * 29
    assert gif_pixels(_file("PNG")) == 0


def test_a_damaged_gif_is_followed_as_far_as_it_goes():
    contents = _file("GIF")
    for end in range(len(contents)):
        assert gif_pixels(contents[:end]) in (0, 20 * 29)


def test_a_gif_whose_frame_claims_more_than_its_canvas_counts_it():
    contents = bytearray(_file("GIF"))
    frame = contents.index(b",", 13 + 3 * 256 if contents[10] >= 128 else 13)
    contents[frame + 5 : frame + 9] = struct.pack("<HH", 65_535, 65_535)
    assert gif_pixels(bytes(contents)) == 65_535**2
