"""Arrays in a file become a source; what is wrong with them is said."""

import os
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.data import DataError, ImageForm, MissingSplit, load

_GENERATOR = np.random.default_rng(0)
_IMAGES = _GENERATOR.integers(0, 256, [12, 8, 9, 3], np.uint8)
_LABELS = np.arange(12) % 3


def _save(path, **arrays):
    np.savez(path / "images.npz", **arrays)
    return f"npz:{path / 'images.npz'}"


def _read(source, places):
    indices = tf.data.Dataset.from_tensors(tf.constant(places, tf.int64))
    return next(iter(source.read(indices)))


def test_gives_images_and_labels_by_place(tmp_path):
    spec = _save(
        tmp_path, x_train=_IMAGES, y_train=_LABELS, classes=np.array(["a", "b", "c"])
    )
    source = load(spec)
    assert len(source) == 12
    assert source.image_shape == (8, 9, 3)
    assert source.num_classes == 3
    assert source.class_names == ["a", "b", "c"]
    batch = _read(source, [5, 0, 11])
    np.testing.assert_array_equal(batch["image"], _IMAGES[[5, 0, 11]])
    np.testing.assert_array_equal(batch["label"], _LABELS[[5, 0, 11]])
    np.testing.assert_array_equal(batch["index"], [5, 0, 11])


def test_both_splits_and_names(images_npz):
    for split, count in (("train", 2_000), ("test", 1_000)):
        source = load(f"npz:{images_npz}", split)
        assert len(source) == count
        assert source.image_shape == (32, 32, 3)
        assert source.num_classes == 10
        assert "airplane" in source.class_names


def test_labels_are_left_out_when_not_asked_for(tmp_path):
    source = load(_save(tmp_path, x_train=_IMAGES, y_train=_LABELS), labels=False)
    assert source.num_classes is None
    assert "label" not in _read(source, [0])


@pytest.mark.parametrize("names", [("images", "labels"), ("x", "y")])
def test_a_file_of_one_split_is_training_data(tmp_path, names):
    spec = _save(tmp_path, **{names[0]: _IMAGES, names[1]: _LABELS[:, None]})
    assert load(spec).num_classes == 3
    with pytest.raises(MissingSplit, match="no test"):
        load(spec, "test")


def test_grey_and_floating_point_images_become_uint8_rgb(tmp_path):
    grey = _read(load(_save(tmp_path, images=_IMAGES[..., 0])), [3])["image"]
    np.testing.assert_array_equal(grey[0], np.repeat(_IMAGES[3, ..., :1], 3, -1))
    floating = _IMAGES.astype(np.float32) / 255
    got = _read(load(_save(tmp_path, images=floating)), [3])["image"]
    np.testing.assert_array_equal(got[0], _IMAGES[3])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": _IMAGES.astype(np.float32)}, r"must lie in \[0, 1\], got 0 to 255"),
        ({"images": _IMAGES.astype(np.int64)}, "must be uint8.*int64"),
        ({"images": _IMAGES[0, 0]}, r"\[N, H, W, C\].*, got shape \(9, 3\)"),
        ({"images": np.moveaxis(_IMAGES, -1, 1)}, r"looks like \[N, C, H, W\]"),
        ({"images": _IMAGES.astype(np.uint16)}, "nearly black.*value_range"),
        ({"images": _IMAGES.astype(np.int16)}, "got int16.*--value_range=0,4095"),
        ({"images": _IMAGES, "labels": _LABELS[:5]}, r"shape \(12,\), got .* \(5,\)"),
        ({"images": _IMAGES, "labels": _LABELS / 2}, "must be integers"),
        ({"pictures": _IMAGES}, "its arrays are pictures"),
        ({"images": _IMAGES[:, :0]}, r"above 0, got shape \(12, 0, 9, 3\)"),
        ({"images": _IMAGES[:0]}, r"above 0, got shape \(0, 8, 9, 3\)"),
        ({"images": _IMAGES > 9}, "must be uint8.*bool"),
        ({"images": _IMAGES + 0j}, "must be uint8.*complex128"),
        ({"images": np.full([2, 4, 4], np.nan)}, r"must lie in \[0, 1\], got nan"),
        ({"images": np.array(None)}, "must hold numbers or strings, got object"),
        ({"images": np.zeros(12, "u1,u1")}, "must hold numbers or strings"),
        ({"images": _IMAGES, "labels": _LABELS - 2}, "or -1 .* got -2 to 0"),
        ({"images": _IMAGES, "labels": _LABELS + 2**32}, "0 to 999,999.*4,294,967"),
        ({"images": _IMAGES, "labels": _LABELS.astype("u8") + 2**63}, "0 to 999,999"),
        ({"images": _IMAGES, "labels": np.full(12, np.nan)}, "must be integers"),
        ({"images": _IMAGES, "labels": np.array(3)}, r"shape \(12,\), got .* \(\)"),
        (
            {"images": _IMAGES, "labels": _LABELS, "classes": np.array("cat")},
            r"classes: must name each class.* 3; got shape \(\)",
        ),
        (
            {"images": _IMAGES, "labels": _LABELS, "classes": np.array(["a", "b"])},
            r"classes: must name each class.* 3; got shape \(2,\)",
        ),
        (
            {"images": _IMAGES, "labels": _LABELS, "classes": np.array([b"\xff"] * 3)},
            "is not UTF-8",
        ),
        (
            {"images": _IMAGES, "labels": np.array(["a", None] * 6, object)},
            "array labels: cannot be read: must hold numbers or strings",
        ),
    ],
)
def test_what_is_wrong_is_said(tmp_path, arrays, message):
    with pytest.raises(DataError, match=message):
        load(_save(tmp_path, **arrays))


def test_files_that_are_not_there_or_not_npz(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        load(f"npz:{tmp_path / 'nothing.npz'}")
    (tmp_path / "text.npz").write_text("not an archive")
    with pytest.raises(DataError, match=r"not a readable \.npz"):
        load(f"npz:{tmp_path / 'text.npz'}")


def test_labels_of_unlabelled_images_are_none(tmp_path):
    source = load(_save(tmp_path, images=_IMAGES, labels=np.full(12, -1)))
    assert source.num_classes is None
    assert "label" not in _read(source, [0])


def test_a_single_array_and_a_damaged_file(tmp_path):
    np.save(tmp_path / "images.npy", _IMAGES)
    with pytest.raises(DataError, match=r"single array.*np\.savez"):
        load(f"npz:{tmp_path / 'images.npy'}")
    path = tmp_path / "damaged.npz"
    np.savez_compressed(path, images=np.zeros_like(_IMAGES), labels=_LABELS)
    contents = bytearray(path.read_bytes())
    contents[60:80] = b"\xff" * 20
    path.write_bytes(contents)
    with pytest.raises(DataError, match=r"damaged\.npz, array images: cannot be read"):
        load(f"npz:{path}")


@pytest.mark.parametrize("spec", ["zip:images.zip", "images.npz", "npz:", "folder:"])
def test_a_spec_of_no_known_kind_is_answered_with_the_notation(spec):
    with pytest.raises(DataError, match="Use shapes, npz:PATH, folder:PATH"):
        load(spec)


def test_class_names_of_bytes_are_decoded(tmp_path):
    names = np.array(["Käse".encode(), b"cat", b"dog"])
    source = load(_save(tmp_path, images=_IMAGES, labels=_LABELS, classes=names))
    assert source.class_names == ["Käse", "cat", "dog"]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, ">f4", np.float64])
@pytest.mark.parametrize("layout", ["C", "F", "strided"])
def test_floats_of_any_width_in_any_order(tmp_path, monkeypatch, dtype, layout):
    monkeypatch.setattr("simclr_tf.data.npz_file._BLOCK", 100)
    images = (_IMAGES / 255).astype(dtype)
    if layout == "F":
        images = np.asfortranarray(images)
    elif layout == "strided":
        images = np.repeat(images, 2, axis=2)[:, :, ::2]
    got = _read(load(_save(tmp_path, images=images)), range(12))["image"]
    np.testing.assert_array_equal(got, _IMAGES)


@pytest.mark.parametrize("block", [1, 27, 500, 2**24])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("grey", [False, True])
def test_blocks_of_any_size_give_the_same_array(
    tmp_path, monkeypatch, block, order, grey
):
    monkeypatch.setattr("simclr_tf.data.npz_file._BLOCK", block)
    images = np.asarray(_IMAGES[..., 0] if grey else _IMAGES, order=order)
    got = _read(load(_save(tmp_path, images=images)), range(12))["image"]
    wanted = np.repeat(_IMAGES[..., :1], 3, -1) if grey else _IMAGES
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("X_train", "y_train"),
        ("x_train", "labels"),
        ("x_train", "Labels"),
        ("images", "y_train"),
        ("train_images", "train_labels"),
        ("images_train", "labels_train"),
        ("data", "target"),
    ],
)
def test_labels_under_the_names_in_use_are_found(tmp_path, images, labels):
    source = load(_save(tmp_path, **{images: _IMAGES, labels: _LABELS}))
    assert source.num_classes == 3


@pytest.mark.parametrize(
    "name",
    ["fine_labels", "train_categories", "y", "targets", "ClassIds", "class_id", "y_tr"],
)
def test_an_array_that_may_hold_labels_is_not_passed_over(tmp_path, name):
    arrays = {"x_train": _IMAGES, "x_test": _IMAGES, name: _LABELS}
    with pytest.raises(DataError, match=f"{name} may hold them.*y_train.*--nolabels"):
        load(_save(tmp_path, **arrays))
    assert load(_save(tmp_path, **arrays), labels=False).num_classes is None


@pytest.mark.parametrize("name", ["paths", "ids", "classes", "y_test", "test_labels"])
def test_other_arrays_are_passed_over(tmp_path, name):
    spec = _save(tmp_path, x_train=_IMAGES, x_test=_IMAGES, **{name: _LABELS})
    assert load(spec).num_classes is None


def _zip(path, **members):
    """An .npz file whose members hold the bytes given."""
    with zipfile.ZipFile(path / "images.npz", "w") as file:
        for name, contents in members.items():
            file.writestr(f"{name}.npy", contents)
    return f"npz:{path / 'images.npz'}"


def _header(shape, descr="|u1", extra=""):
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, {extra}}}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "contents",
    [
        b"",
        b"raw bytes of a picture",
        b"\x93NUMPY\x01\x00\xff\xff{",
        b"\x93NUMPY\x03\x00\x00\x00\x00\x00",
        _header("(1000000, 1000, 1000, 3)"),  # 3 TB
        _header("(-1, 8, 8, 3)") + b"\0" * 192,
        _header("(2, 8, 8, 3)") + b"\0" * 383,
        _header("(2, 8, 8, 3)") + b"\0" * 385,
        _header("(2, 8, 8, 3)", "|O") + b"\0" * 384,
        _header("(2, 8, 8, 3)", "|U0"),
        _header("((" * 400),
        _header("(2,)", extra="'unknown': 1"),
    ],
)
@pytest.mark.parametrize("name", ["images", "labels", "classes"])
def test_a_member_that_is_no_array_is_told_before_memory_is_taken(
    tmp_path, contents, name
):
    whole = {
        "images": _header("(2, 8, 8, 3)") + b"\0" * 384,
        "labels": _header("(2,)") + b"\0\1",
        "classes": _header("(2,)", "|S1") + b"ab",
    }
    assert load(_zip(tmp_path, **whole)).class_names == ["a", "b"]
    with pytest.raises(DataError, match=f"array {name}: (cannot|must)"):
        load(_zip(tmp_path, **{**whole, name: contents}))


def test_an_array_larger_than_the_memory_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("simclr_tf.data.npz_file._memory", lambda: 1000)
    with pytest.raises(DataError, match="GiB and this machine has"):
        load(_save(tmp_path, images=_IMAGES))


def test_a_file_that_was_cut_off_or_encrypted_is_told(tmp_path):
    spec = _save(tmp_path, images=_IMAGES, labels=_LABELS)
    path = tmp_path / "images.npz"
    contents = path.read_bytes()
    for end in (0, 3, 40, 2000, len(contents) - 5):
        path.write_bytes(contents[:end])
        with pytest.raises(DataError, match=r"not a readable \.npz"):
            load(spec)
    flags = bytearray(contents)
    flags[contents.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(flags)
    with pytest.raises(DataError, match=r"images: cannot be read.*encrypted"):
        load(spec)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as file:
        file.writestr("images.npy", b"")
    with pytest.raises(DataError, match="compressed by a method"):
        load(spec)


def test_a_pipe_a_device_or_a_folder_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    (tmp_path / "folder.npz").mkdir()
    for name, kind in (("pipe.npz", "a named pipe"), ("folder.npz", "a folder")):
        with pytest.raises(DataError, match=f"{name} is {kind}"):
            load(f"npz:{tmp_path / name}")
    with pytest.raises(DataError, match="/dev/zero is a device"):
        load("npz:/dev/zero")


def _memory(entry):
    """Bytes, from what Linux says of this process."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith(entry))
    return int(line.split()[1]) * 1024


def test_the_images_are_held_once(tmp_path):
    _read(load(_save(tmp_path, images=_IMAGES)), [0])  # what TensorFlow itself takes
    size, megabyte = 96, b"\x55" * 2**20
    path = tmp_path / "large.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file,
        file.open("images.npy", "w") as member,
    ):
        member.write(_header(f"({size * 128}, 64, 128, 1)"))
        for _ in range(size):
            member.write(megabyte)
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")  # begins anew
    before = _memory("VmRSS")
    source = load(f"npz:{path}")
    iterators = [iter(source.read(tf.data.Dataset.range(64).batch(8))) for _ in "ab"]
    for iterator in iterators:
        assert (next(iterator)["image"].numpy() == 0x55).all()
    assert _memory("VmHWM") - before < 1.6 * size * 2**20


def test_its_identity_is_of_the_arrays_and_not_of_the_file(tmp_path):
    arrays = {"images": _IMAGES, "labels": _LABELS}
    source = load(_save(tmp_path, **arrays))
    np.savez_compressed(tmp_path / "again.npz", **arrays)
    again = load(f"npz:{tmp_path / 'again.npz'}")
    assert source.fingerprint() == again.fingerprint()
    assert load(_save(tmp_path, **{**arrays, "more": _LABELS})).fingerprint() == (
        source.fingerprint()
    )
    changed = _IMAGES.copy()
    changed[3, 2, 1, 0] ^= 1
    other = load(_save(tmp_path, images=changed, labels=_LABELS))
    assert other.fingerprint() != source.fingerprint()
    other = load(_save(tmp_path, images=_IMAGES, labels=_LABELS[::-1]))
    assert other.fingerprint() != source.fingerprint()


@pytest.mark.parametrize("channels", [1, 2, 4, 7])
def test_channels_are_those_of_the_file_or_those_said(tmp_path, channels):
    images = np.repeat(_IMAGES[..., :1], channels, -1)
    spec = _save(tmp_path, images=images)
    source = load(spec, form=ImageForm(channels=channels))
    assert source.image_shape == (8, 9, channels)
    np.testing.assert_array_equal(_read(source, [3])["image"][0], images[3])
    assert load(spec).image_shape[-1] == (3 if channels == 1 else channels)
    with pytest.raises(DataError, match="channels=5 was said"):
        load(spec, form=ImageForm(channels=5))


def test_images_without_an_axis_of_channels_get_one_and_it_is_said(tmp_path, capsys):
    spec = _save(tmp_path, images=_IMAGES[..., 0])
    source = load(spec, form=ImageForm(channels=1))
    np.testing.assert_array_equal(_read(source, [3])["image"][0], _IMAGES[3, ..., :1])
    assert "[12, 8, 9], given as [N, H, W, 1]" in capsys.readouterr().err
    load(spec)
    assert "given as RGB; --channels=1" in capsys.readouterr().err


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_a_stated_range_becomes_the_unit_range(tmp_path, dtype):
    black, white = (0, 255) if dtype.startswith("u") else (-100, 400)
    images = _IMAGES.astype(dtype)
    if dtype == "uint16":
        images, white = images * 16, 4095
    spec = _save(tmp_path, images=images)
    got = _read(load(spec, form=ImageForm(value_range=(black, white))), [3])["image"]
    assert got.dtype == tf.float32
    wanted = (images[3].astype(np.float64) - black) / (white - black)
    np.testing.assert_allclose(got[0], wanted, atol=1e-6)
    with pytest.raises(DataError, match="from 10 to 20 by value_range, and have"):
        load(spec, form=ImageForm(value_range=(10, 20)))


def test_uint16_over_its_whole_range_is_kept(tmp_path):
    images = _IMAGES.astype(np.uint16) * 257
    got = _read(load(_save(tmp_path, images=images)), [3])["image"]
    np.testing.assert_array_equal(got[0], images[3])


def test_a_source_of_one_form_refuses_others():
    with pytest.raises(DataError, match="shapes gives images of 3 channels"):
        load("shapes", form=ImageForm(channels=4))
    with pytest.raises(DataError, match="leave out value_range"):
        load("shapes", form=ImageForm(value_range=(0, 255)))
    assert load("shapes", form=ImageForm(channels=3)).image_shape[-1] == 3
