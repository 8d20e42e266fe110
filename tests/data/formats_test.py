"""Files of formats that TensorFlow does not decode, by their content."""

import io
import sys

import numpy as np
import pydicom
import pytest
import tensorflow as tf
import tifffile
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from simclr_tf.data import DataError, load
from simclr_tf.data.formats import decode_file, find_format
from simclr_tf.data.image_files import decode
from simclr_tf.data.source import reason

_RGB = np.random.default_rng(0).integers(0, 256, [20, 29, 3], np.uint8)
_GREY = _RGB[..., 0]


def _by_pillow(image, form, **settings):
    file = io.BytesIO()
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    image.save(file, form, **settings)
    return file.getvalue()


def _tiff(pixels, **settings):
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **settings)
    return file.getvalue()


def _dicom(pixels, *, bits=None, photometric="MONOCHROME2", **tags):
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    file = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    if int(pydicom.__version__.split(".")[0]) < 3:
        file.is_little_endian, file.is_implicit_VR = True, False
    file.SamplesPerPixel = 1
    file.Rows, file.Columns = pixels.shape[-2:]
    if pixels.shape[-1] == 3:
        file.Rows, file.Columns = pixels.shape[:2]
        file.SamplesPerPixel, file.PlanarConfiguration = 3, 0
    elif pixels.ndim == 3:
        file.NumberOfFrames = len(pixels)
    file.PhotometricInterpretation = photometric
    file.BitsAllocated = 8 * pixels.dtype.itemsize
    file.BitsStored = bits or file.BitsAllocated
    file.HighBit = file.BitsStored - 1
    file.PixelRepresentation = int(pixels.dtype.kind == "i")
    file.PixelData = pixels.tobytes()
    for name, value in tags.items():
        setattr(file, name, value)
    written = io.BytesIO()
    pydicom.dcmwrite(written, file)
    return written.getvalue()


def _as_rgb(grey):
    return np.repeat(np.asarray(grey)[..., None], 3, -1)


def _scaled(pixels, low, high):
    scaled = (pixels.astype(float) - low) * 255 / (high - low)
    return np.clip(np.round(scaled), 0, 255).astype(np.uint8)


_DEEP = np.random.default_rng(1).integers(0, 2**16, [20, 29], np.uint16)
_TWELVE = _DEEP >> 4
_FLOAT = (_DEEP / 65535).astype(np.float32)
_SIGNED = (_TWELVE.astype(np.int16) - 1024).astype(np.int16)

_FILES = {
    "WebP": (_by_pillow(_RGB, "WEBP", lossless=True), _RGB),
    "PPM": (_by_pillow(_RGB, "PPM"), _RGB),
    "PGM": (_by_pillow(_GREY, "PPM"), _as_rgb(_GREY)),
    "PGM of 12 bits": (
        b"P5 29 20 4095\n" + _TWELVE.astype(">u2").tobytes(),
        _as_rgb(_scaled(_TWELVE, 0, 4095)),
    ),
    "TIFF": (_by_pillow(_RGB, "TIFF"), _RGB),
    "TIFF, LZW": (_by_pillow(_RGB, "TIFF", compression="tiff_lzw"), _RGB),
    "TIFF of planes": (
        _tiff(np.moveaxis(_RGB, -1, 0), photometric="rgb", planarconfig="separate"),
        _RGB,
    ),
    "TIFF of 16 bits": (_tiff(_DEEP), _as_rgb(_scaled(_DEEP, 0, 65535))),
    "TIFF of 16 bits in colour": (
        _tiff(np.stack([_DEEP, _DEEP // 2, _DEEP // 3], -1), photometric="rgb"),
        _scaled(np.stack([_DEEP, _DEEP // 2, _DEEP // 3], -1), 0, 65535),
    ),
    "TIFF that says 12 bits": (
        _tiff(_TWELVE, extratags=[(281, "H", 1, 4095, True)]),
        _as_rgb(_scaled(_TWELVE, 0, 4095)),
    ),
    "TIFF, floating": (_tiff(_FLOAT), _as_rgb(_scaled(_FLOAT, 0, 1))),
    "TIFF of pages": (_tiff(np.stack([_DEEP, _DEEP[::-1]])), None),
    "BigTIFF": (_tiff(_RGB, bigtiff=True, photometric="rgb"), _RGB),
    "DICOM": (_dicom(_TWELVE, bits=12), _as_rgb(_scaled(_TWELVE, 0, 4095))),
    "DICOM in a window": (
        _dicom(
            _SIGNED,
            RescaleSlope=2,
            RescaleIntercept=-100,
            WindowCenter=400,
            WindowWidth=1000,
        ),
        _as_rgb(_scaled(_SIGNED * 2.0 - 100, -100, 900)),
    ),
    "DICOM, dark is high": (
        _dicom(_GREY, photometric="MONOCHROME1"),
        _as_rgb(255 - _GREY),
    ),
    "DICOM in colour": (_dicom(_RGB, photometric="RGB"), _RGB),
    "DICOM of frames": (_dicom(np.stack([_GREY, _GREY[::-1]])), _as_rgb(_GREY)),
}


@pytest.mark.parametrize("name", _FILES)
def test_a_file_becomes_the_picture_that_it_holds(name):
    contents, expected = _FILES[name]
    if expected is None:
        expected = _as_rgb(_scaled(_DEEP, 0, 65535))
    got = decode(contents)
    assert got.dtype == tf.uint8
    apart = np.abs(got.numpy().astype(int) - expected)
    assert apart.max() <= 1  # Pillow spreads the range of a PGM by integers.
    assert apart.mean() < 0.5


def test_twelve_bits_in_sixteen_keep_256_levels():
    ramp = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    contents = _tiff(ramp, extratags=[(281, "H", 1, 4095, True)])
    assert len(np.unique(decode(contents))) == 256
    assert len(np.unique(decode(_tiff(ramp)))) < 20
    png = tf.io.encode_png(ramp[..., None])
    assert len(np.unique(decode(png))) == 16
    for stated in (_tiff(ramp), contents, png):
        got = decode(stated, value_range=(0.0, 4095.0))
        np.testing.assert_array_equal(got, _as_rgb(_scaled(ramp, 0, 4095)))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_stated_range_is_that_of_a_png_of_any_channels(channels):
    """Seen through where it is transparent, whatever its colours are there."""
    draws = np.random.default_rng(channels)
    deep = draws.integers(100, 1101, [9, 7, channels]).astype(np.uint16)
    colour = _scaled(deep[..., : channels - (channels in (2, 4))], 100, 1100)
    expected = np.broadcast_to(colour, [9, 7, 3])
    if channels in (2, 4):
        deep[..., -1] = draws.choice([0, 30_000, 65_535], [9, 7])
        deep[deep[..., -1] == 0, 0] = 60_000
        opacity = deep[..., -1:] / 65_535
        expected = np.round(expected * opacity + 255 * (1 - opacity))
    contents = tf.io.encode_png(deep)
    np.testing.assert_array_equal(
        decode(contents, value_range=(100.0, 1100.0)), expected
    )
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        decode(contents, value_range=(100.0, 900.0))
    assert "it has values out of --value_range=100,900: 1" in reason(raised.value)


def test_a_stated_range_takes_other_numbers_and_leaves_eight_bits_alone():
    float_, stated = _SIGNED.astype(np.float32) / 2, (-512.0, 1535.5)
    expected = _as_rgb(_scaled(float_, *stated))
    np.testing.assert_array_equal(decode(_tiff(float_), value_range=stated), expected)
    with pytest.raises((tf.errors.OpError, ValueError), match=r"int16.*must be stated"):
        decode(_tiff(_SIGNED))
    got = decode(_tiff(_SIGNED), value_range=(-1024.0, 3071.0))
    np.testing.assert_array_equal(got, _as_rgb(_scaled(_SIGNED, -1024, 3071)))
    inverse = _tiff(_TWELVE, photometric="miniswhite")
    got = decode(inverse, value_range=(0.0, 4095.0))
    np.testing.assert_array_equal(got, _as_rgb(255 - _scaled(_TWELVE, 0, 4095)))
    with pytest.raises((tf.errors.OpError, ValueError)) as raised:
        decode(_tiff(_TWELVE), value_range=(0.0, 1000.0))
    assert "it has values out of --value_range=0,1000: " in reason(raised.value)
    for contents in (_by_pillow(_RGB, "PNG"), *(_FILES[n][0] for n in ("TIFF", "PGM"))):
        got = decode(contents, value_range=(0.0, 4095.0))
        np.testing.assert_array_equal(got, decode(contents))


def test_transparent_pixels_and_orientation_are_carried_out():
    clear = np.dstack([_RGB, np.zeros_like(_GREY)])
    for form in ("WEBP", "TIFF"):
        contents = _by_pillow(
            clear, form, **{"lossless": True} if form == "WEBP" else {}
        )
        assert np.all(decode(contents) == 255)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = _by_pillow(_RGB, "WEBP", lossless=True, exif=exif.tobytes())
    np.testing.assert_array_equal(decode(turned), np.rot90(_RGB, -1))


@pytest.mark.slow
def test_every_kind_in_one_folder_whatever_its_name(tmp_path):
    for place, (contents, _) in enumerate(_FILES.values()):
        (tmp_path / f"{place:02}.{'jpg' if place % 2 else 'scan'}").write_bytes(
            contents
        )
    (tmp_path / "photo.jfif").write_bytes(_by_pillow(_RGB, "JPEG"))
    source = load(f"folder:{tmp_path}", image_size=16)
    assert len(source) == len(_FILES) + 1
    places = tf.data.Dataset.range(len(source))
    batches = places.batch(len(source), drop_remainder=True)
    batch = next(iter(source.read(batches)))
    np.testing.assert_array_equal(batch["size"], [[20, 29]] * len(source))


def _complaint(contents):
    try:
        decode_file(contents)
    except ValueError as error:
        return str(error)
    return None


def test_damaged_files_are_told_by_their_format():
    for name, (contents, _) in _FILES.items():
        for damaged in (contents[:140], contents[: len(contents) // 2]):
            kind = find_format(contents).name
            told = _complaint(damaged)
            assert told is None or told.startswith(f"{kind}: "), name


@pytest.mark.parametrize(
    ("module", "name", "extra"),
    [("tifffile", "TIFF of 16 bits in colour", "tiff"), ("pydicom", "DICOM", "dicom")],
)
def test_a_missing_package_is_named(tmp_path, monkeypatch, module, name, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises((tf.errors.OpError, ValueError)) as raised:
        decode(_FILES[name][0])
    assert f"pip install 'simclr-tf[{extra}]'" in reason(raised.value)
    (tmp_path / "a.scan").write_bytes(_FILES[name][0])
    with pytest.raises(DataError, match=r"pip install 'simclr-tf\[" + extra):
        load(f"folder:{tmp_path}", image_size=16)


def test_floating_point_out_of_range_is_told():
    with pytest.raises(ValueError, match=r"run from 0 to 3.*must lie in \[0, 1\]"):
        decode_file(_tiff(np.linspace(0, 3, 12, dtype=np.float32).reshape(3, 4)))


def test_a_huge_claim_is_refused():
    contents = b"P6 20000 10000 255\n" + b"\0" * 99
    with pytest.raises(ValueError, match="178956970"):
        decode_file(contents)
