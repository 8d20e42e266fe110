"""Files of every kind become the picture that they hold."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from simclr_tf.data.image_files import canvas_size, decode, to_canvas
from tests import sample_images

pytestmark = pytest.mark.slow


def _picture(height=20, width=29):
    """Patches of colour, which survive JPEG; a width that BMP has to pad."""
    rows = np.random.default_rng(0).integers(0, 256, [5, 6, 3], np.uint8)
    return np.kron(rows, np.ones([4, 5, 1], np.uint8))[:height, :width]


def _file(image, form, mode="RGB", **settings):
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    file = io.BytesIO()
    image.convert(mode).save(file, form, **settings)
    return file.getvalue()


def _grey(picture):
    return np.asarray(Image.fromarray(picture).convert("L"))


def _by_pillow(contents):
    return np.asarray(Image.open(io.BytesIO(contents)).convert("RGB"))


@pytest.mark.parametrize(
    ("form", "mode"),
    [
        ("PNG", "RGB"),
        ("PNG", "RGBA"),
        ("PNG", "L"),
        ("PNG", "LA"),
        ("PNG", "P"),
        ("PNG", "1"),
        ("BMP", "RGB"),
        ("BMP", "RGBA"),
        ("BMP", "L"),
        ("BMP", "P"),
        ("GIF", "P"),
        ("GIF", "L"),
    ],
)
def test_a_lossless_file_gives_the_pixels_that_pillow_gives(form, mode):
    contents = _file(_picture(), form, mode)
    expected = _by_pillow(contents)
    assert expected.std() > 30
    got = decode(contents)
    assert got.dtype == tf.uint8
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_gives_about_what_pillow_gives(mode, progressive):
    contents = _file(_picture(), "JPEG", mode, quality=95, progressive=progressive)
    apart = np.abs(decode(contents).numpy().astype(int) - _by_pillow(contents))
    assert apart.mean() < 4
    assert apart.max() < 30


def test_photographs_are_read_as_pillow_reads_them(photos):
    paths = sorted((photos / "test").glob("*/*.jpg"))
    assert len(paths) > 5
    for path in paths:
        contents = path.read_bytes()
        apart = np.abs(decode(contents).numpy().astype(int) - _by_pillow(contents))
        assert apart.mean() < 2


def _over_white(colour, opacity):
    """uint8 `[h, w, C]` over white, with opacity uint8 `[h, w, 1]`."""
    mixed = colour * (opacity / 255.0) + 255.0 * (1.0 - opacity / 255.0)
    return np.round(mixed).astype(np.uint8)


def test_transparency_lets_white_through():
    opacity = np.arange(20 * 29, dtype=np.uint8).reshape(20, 29)
    image = Image.fromarray(_picture()).convert("RGBA")
    image.putalpha(Image.fromarray(opacity))
    expected = _over_white(_picture(), opacity[..., None])
    np.testing.assert_array_equal(decode(_file(image, "PNG", "RGBA")), expected)


def test_a_transparent_entry_of_a_palette_is_white():
    image = Image.fromarray(_picture()).quantize(7)
    contents = _file(image, "PNG", "P", transparency=3)
    expected = np.array(image.convert("RGB"))
    expected[np.asarray(image) == 3] = 255
    np.testing.assert_array_equal(decode(contents), expected)


def test_16_bits_are_cut_to_8():
    grey = _grey(_picture())
    deep = Image.fromarray(grey.astype(np.uint16) * 256 + 255)
    file = io.BytesIO()
    deep.save(file, "PNG")
    expected = np.repeat(grey[..., None], 3, -1)
    np.testing.assert_array_equal(decode(file.getvalue()), expected)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bits_of_any_channels_are_cut_to_8(channels):
    generator = np.random.default_rng(0)
    deep = generator.integers(0, 2**16, [9, 7, channels]).astype(np.uint16)
    expected = (deep[..., :3] if channels > 2 else np.repeat(deep[..., :1], 3, -1)) >> 8
    if channels in (2, 4):
        expected = _over_white(expected, deep[..., -1:] >> 8)
    np.testing.assert_array_equal(decode(tf.io.encode_png(deep)), expected)


@pytest.mark.parametrize("colours", [2, 7, 256])
def test_a_bmp_of_few_colours_keeps_them(colours):
    image = Image.fromarray(_picture()).quantize(colours)
    if colours == 2:
        image.putpalette([200, 30, 60, 10, 90, 250] + [0] * 762)
    contents = _file(image, "BMP", "P")
    expected = np.asarray(image.convert("RGB"))
    assert np.ptp(expected.astype(int), axis=-1).max() > 50
    np.testing.assert_array_equal(decode(contents), expected)


def test_a_bmp_may_be_stored_from_the_top():
    contents = bytearray(_file(_picture()[::-1].copy(), "BMP"))
    contents[22:26] = (-20).to_bytes(4, "little", signed=True)
    np.testing.assert_array_equal(decode(bytes(contents)), _picture())


def test_a_bmp_with_a_longer_header_keeps_its_palette():
    image = Image.fromarray(_picture()).quantize(7)
    contents = _file(image, "BMP", "P")
    first = 14 + 40
    offset = int.from_bytes(contents[10:14], "little") + 68
    longer = b"".join(
        [
            contents[:10],
            offset.to_bytes(4, "little"),
            (108).to_bytes(4, "little"),
            contents[18:first],
            bytes(68),
            contents[first:],
        ]
    )
    np.testing.assert_array_equal(decode(longer), np.asarray(image.convert("RGB")))


def test_a_bmp_of_one_bit_a_pixel_is_an_error():
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be 1, 3 or 4"):
        decode(_file(_picture(), "BMP", "1"))


def test_a_gif_is_black_where_it_is_transparent():
    image = Image.fromarray(_picture()).quantize(64)
    got = decode(_file(image, "GIF", "P", transparency=3)).numpy()
    clear = np.asarray(image) == 3
    assert 0 < clear.sum() < clear.size
    assert not got[clear].any()
    expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(got[~clear], expected[~clear])


def test_of_an_animation_the_first_frame_is_taken():
    frames = [Image.fromarray(_picture()).rotate(turn) for turn in (0, 180, 90)]
    frames = [frame.quantize(64) for frame in frames]
    contents = _file(frames[0], "GIF", "P", save_all=True, append_images=frames[1:])
    assert Image.open(io.BytesIO(contents)).n_frames == 3
    expected = np.asarray(frames[0].convert("RGB"))
    np.testing.assert_array_equal(decode(contents), expected)


def test_a_rotation_in_exif_is_carried_out_on_the_canvas_too():
    turned = Image.Exif()
    turned[0x0112] = 6
    contents = _file(_picture(), "JPEG", exif=turned)
    expected = np.rot90(decode(_file(_picture(), "JPEG")), -1)
    np.testing.assert_array_equal(decode(contents), expected)
    image, size = to_canvas(contents, 40)
    np.testing.assert_array_equal(size, [29, 20])
    np.testing.assert_array_equal(image[:29, :20], expected)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "GIF"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.2])
def test_a_file_cut_short_is_an_error(form, share):
    contents = _file(_picture(), form)
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(contents[: int(share * len(contents))])


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP"])
def test_a_file_without_its_end_is_an_error(form):
    contents = _file(_picture(), form)
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(contents[: int(0.95 * len(contents))])


@pytest.mark.parametrize(
    "contents", [b"not a picture", b"BM", b"BM" + b"\0" * 100, b"\xff\xd8\xff", b"GIF"]
)
def test_what_is_no_picture_is_an_error(contents):
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(contents)


def test_a_bmp_whose_pixels_lie_outside_its_palette_is_an_error():
    contents = bytearray(_file(_picture(), "BMP", "L"))
    contents[10:14] = (14 + 40 + 4 * 3).to_bytes(4, "little")
    kept = bytes(contents[: 14 + 40 + 12] + contents[14 + 40 + 4 * 256 :])
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(kept)


def test_every_kind_is_read_inside_a_graph():
    files = [_file(_picture(), form) for form in ("PNG", "BMP", "GIF", "JPEG")]
    files.append(_file(_picture(), "BMP", "P"))
    images = tf.data.Dataset.from_tensor_slices(files).map(decode)
    assert images.element_spec == tf.TensorSpec([None, None, 3], tf.uint8)
    for image, contents in zip(images, files):
        np.testing.assert_array_equal(image, decode(contents))


def test_the_canvas_is_half_again_as_wide_as_the_views():
    assert canvas_size(32) == 48
    assert canvas_size(None) == canvas_size(224) == 336


def _shares(side, held):
    """How much of each of `held` pixels comes from each of `side` ones."""
    edges = np.linspace(0, side, held + 1)[:, None]
    covered = np.clip(edges - np.arange(side), 0, 1)
    return np.diff(covered, axis=0) * held / side


def _on_canvas(image, canvas):
    """Means of areas, in the corner of a black square."""
    shares = [_shares(side, min(side, canvas)) for side in image.shape[:2]]
    shrunk = np.einsum("ih,hwc,jw->ijc", shares[0], image, shares[1], optimize=True)
    expected = np.zeros([canvas, canvas, 3])
    expected[: shrunk.shape[0], : shrunk.shape[1]] = shrunk
    return expected


@pytest.mark.parametrize("shape", [(40, 10), (3, 500), (1, 1), (24, 24), (20, 9)])
def test_a_canvas_holds_the_picture_and_shrinks_no_side_that_fits(shape):
    rows, columns = np.meshgrid(*(np.linspace(0, 200, n) for n in shape), indexing="ij")
    image = np.stack([rows, columns, np.full(shape, 90)], -1).astype(np.uint8)
    canvas, size = to_canvas(_file(image, "PNG"), 24)
    assert canvas.dtype == tf.uint8
    assert canvas.shape == [24, 24, 3]
    np.testing.assert_array_equal(size, shape)
    apart = np.abs(canvas.numpy() - _on_canvas(image, 24))
    assert apart.max() <= 0.51


@pytest.fixture(scope="module")
def wall():
    """A photograph of 550 x 1,150 pixels."""
    return sample_images.photo(550, 1150)


@pytest.mark.parametrize(
    ("canvas", "mode"),
    [
        pytest.param(
            canvas,
            mode,
            marks=[]
            if (canvas, mode) in {(96, "RGB"), (168, "L"), (352, "CMYK"), (600, "RGB")}
            else pytest.mark.exhaustive,
        )
        for canvas in (24, 96, 168, 352, 600)
        for mode in ("RGB", "L", "CMYK")
    ],
)
def test_a_large_jpeg_decoded_in_part_is_the_whole_one_shrunk(wall, canvas, mode):
    contents = _file(wall, "JPEG", mode, quality=90)
    got, size = to_canvas(contents, canvas)
    np.testing.assert_array_equal(size, [550, 1150])
    expected = _on_canvas(decode(contents).numpy(), canvas)
    apart = np.abs(got.numpy() - expected)
    assert expected.std() > 40
    assert apart.mean() < 0.1 * expected.std()
    means = [
        x.reshape(canvas // 4, 4, -1, 4, 3).mean((1, 3))
        for x in (got.numpy(), expected)
    ]
    # The last blocks, in part beyond the edge, shift it by less than a pixel.
    assert np.abs(means[0] - means[1]).mean() < 2


def test_a_damaged_large_jpeg_is_an_error(wall):
    contents = _file(wall, "JPEG", quality=90)
    for share in (0.0, 0.0001, 0.02, 0.5):
        with pytest.raises(tf.errors.InvalidArgumentError):
            to_canvas(contents[: int(share * len(contents))], 24)
