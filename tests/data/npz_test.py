"""Arrays in a file become a source; what is wrong with them is said."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.data import DataError, MissingSplit, load

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


def test_real_images(shared):
    for split, count in (("train", 10_000), ("test", 2_000)):
        source = load(f"npz:{shared / 'data' / 'cifar10_10k.npz'}", split)
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
        ({"images": _IMAGES[..., :2]}, r"got shape \(12, 8, 9, 2\)"),
        ({"images": _IMAGES, "labels": _LABELS[:5]}, r"shape \(12,\), got .* \(5,\)"),
        ({"images": _IMAGES, "labels": _LABELS / 2}, "must be integers"),
        ({"pictures": _IMAGES}, "its arrays are pictures"),
        (
            {"images": _IMAGES, "labels": np.array(["a", None] * 6, object)},
            "array labels: cannot be read",
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
