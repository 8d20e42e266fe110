"""Datasets that TensorFlow Datasets has prepared, and those it has not."""

from __future__ import annotations

import re
import sys
import types

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.data.batches import pretrain_batches
from simclr_tf.data.image_files import canvas_size, to_canvas
from simclr_tf.data.source import DataError, MissingSplit
from simclr_tf.data.tfds import load_tfds
from tests.data.record_files import make_example, make_jpegs, read_all, write_records

pytestmark = pytest.mark.slow

tfds = pytest.importorskip("tensorflow_datasets")

_SIZE = 32
_NAMES = ["bonsai", "ketch", "watch"]
_jpegs: list[bytes] = []
_digits = np.random.default_rng(0).integers(0, 256, [9, 6, 7, 1], np.uint8)


class TinyPhotos(tfds.core.GeneratorBasedBuilder):
    """JPEGs of many sizes, and a test split with secret labels."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name="all"),
        tfds.core.BuilderConfig(name="few"),
    ]

    def _info(self):
        features = {
            "image": tfds.features.Image(),
            "label": tfds.features.ClassLabel(names=_NAMES),
            "file": tfds.features.Text(),
        }
        features = tfds.features.FeaturesDict(features)
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        count = 3 if self.builder_config.name == "few" else 12
        return {
            "train": self._generate_examples(0, count),
            "validation": self._generate_examples(12, 14),
            "test": self._generate_examples(14, 15),
        }

    def _generate_examples(self, first, end):
        for place in range(first, end):
            yield (
                place,
                {
                    "image": _jpegs[place],
                    "label": place % 3 if end < 15 else -1,
                    "file": str(place),
                },
            )


class TinyDigits(tfds.core.GeneratorBasedBuilder):
    """Greyscale images of one size, one split."""

    VERSION = tfds.core.Version("2.0.0")

    def _info(self):
        features = {"image": tfds.features.Image(shape=(6, 7, 1))}
        features["label"] = tfds.features.ClassLabel(num_classes=10)
        features = tfds.features.FeaturesDict(features)
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for place, image in enumerate(_digits):
            yield place, {"image": image, "label": place}


class TinyText(tfds.core.GeneratorBasedBuilder):
    """No images."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = tfds.features.FeaturesDict({"words": tfds.features.Text()})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        return {"train": iter([(0, {"words": "none"})])}

    def _generate_examples(self):
        raise NotImplementedError


class TinyUnprepared(TinyDigits):
    """Known, and not on this machine."""


@pytest.fixture(scope="module", autouse=True)
def prepared(tmp_path_factory):
    _jpegs[:] = make_jpegs(15)
    folder = str(tmp_path_factory.mktemp("tensorflow_datasets"))
    builders = [TinyPhotos(config=name, data_dir=folder) for name in ("all", "few")]
    for builder in [*builders, TinyDigits(data_dir=folder), TinyText(data_dir=folder)]:
        builder.download_and_prepare()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tfds.core.constants, "DATA_DIR", folder)
        yield


def test_images_of_many_sizes(prepared):
    source = load_tfds("tiny_photos", "train", _SIZE, True)
    canvas = canvas_size(_SIZE)
    assert len(source) == 12
    assert source.image_shape == (canvas, canvas, 3)
    assert source.class_names == _NAMES
    assert source.num_classes == 3
    expected = {}
    for place in range(12):
        image, size = to_canvas(_jpegs[place], canvas)
        expected[image.numpy().tobytes()] = (place % 3, tuple(size.numpy()))
    seen = {}
    for example in read_all(source):
        size = tuple(example["size"].numpy())
        seen[example["image"].numpy().tobytes()] = (int(example["label"]), size)
    assert seen == expected


def test_images_of_one_size_keep_it_and_grey_becomes_rgb():
    source = load_tfds("tiny_digits", "train", _SIZE, True)
    assert source.image_shape == (6, 7, 3)
    indices = tf.data.Dataset.range(9).batch(3, drop_remainder=True)
    batches = source.read(indices)
    assert batches.element_spec == {
        "image": tf.TensorSpec([3, 6, 7, 3], tf.uint8),
        "index": tf.TensorSpec([3], tf.int64),
        "label": tf.TensorSpec([3], tf.int32),
    }
    examples = list(batches.unbatch())
    assert [int(example["index"]) for example in examples] == list(range(9))
    labels = [int(example["label"]) for example in examples]
    assert labels == source.labels().tolist()
    assert sorted(labels) == list(range(9))
    for example in examples:
        digit = _digits[int(example["label"])]
        np.testing.assert_array_equal(example["image"], np.repeat(digit, 3, -1))


def test_batches_of_two_hosts_from_any_step_are_those_of_one_device():
    """Of images and seeds, to the bit; an epoch holds each image once."""
    source = load_tfds("tiny_digits", "train", _SIZE, True)

    def take(count, **settings):
        batches = pretrain_batches(source, None, batch_size=4, seed=3, **settings)
        return list(batches.take(count).as_numpy_iterator())

    whole = take(6)
    assert len({int(label) for batch in whole[:2] for label in batch["label"]}) == 8
    shares = [
        take(4, start_step=2, context=tf.distribute.InputContext(2, host, 2))
        for host in range(2)
    ]
    for batch, *halves in zip(whole[2:], *shares):
        for name, values in batch.items():
            parts = [half[name] for half in halves]
            np.testing.assert_array_equal(np.concatenate(parts), values)


def test_labels_only_where_asked():
    source = load_tfds("tiny_photos", "train", _SIZE, False)
    assert source.num_classes is None
    assert source.class_names is None
    assert source.labels() is None


@pytest.mark.parametrize(
    ("name", "count"),
    [("tiny_photos/few", 3), ("tiny_photos/all:1.0.0", 12), ("tiny_digits:2.0.0", 9)],
)
def test_config_and_version(name, count):
    source = load_tfds(name, "train", _SIZE, True)
    assert len(source) == count == len(source.labels())


def test_validation_stands_in_for_a_test_split_with_secret_labels():
    labelled = load_tfds("tiny_photos", "test", _SIZE, True)
    assert len(labelled) == 2
    assert set(labelled.labels()) == {0, 1}
    assert len(load_tfds("tiny_photos", "test", _SIZE, False)) == 1


def test_part_of_a_split():
    whole, part = (
        load_tfds("tiny_photos", split, _SIZE, True) for split in ("train", "train[:4]")
    )
    assert len(part) == 4
    np.testing.assert_array_equal(part.labels(), whole.labels()[:4])


@pytest.mark.parametrize(
    "part", ["train[:x]", "train[:999]", "train[:0]", "train[5:2]"]
)
def test_a_part_of_a_split_that_there_is_not(part):
    with pytest.raises(DataError, match=f"split {re.escape(part)}: ") as caught:
        load_tfds("tiny_photos", part, _SIZE, True)
    assert "\n" not in str(caught.value)


def test_no_test_split():
    with pytest.raises(MissingSplit, match="no split test; it has train"):
        load_tfds("tiny_digits", "test", _SIZE, True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tiny_digit", "no dataset 'tiny_digit'. Did you mean tiny_digits"),
        ("tiny_digits:9.9.9", "9.9.9"),
        ("tiny_photos/none", "none"),
        ("tiny_unprepared", "not prepared.*`tfds build tiny_unprepared`"),
        ("tiny photos", "^tfds:tiny photos: .*failed.$"),
        ("tiny_text", r"feature image.*words \(Text\)"),
    ],
)
def test_errors_say_what_to_do(name, message):
    with pytest.raises(DataError, match=message):
        load_tfds(name, "train", _SIZE, True)


@pytest.mark.parametrize("module", [None, types.ModuleType("tensorflow_datasets")])
def test_without_tensorflow_datasets_or_with_a_broken_one(monkeypatch, module):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", module)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets.core", None)
    with pytest.raises(DataError, match=r"pip install 'simclr-tf\[tfds\]'"):
        load_tfds("tiny_digits", "train", _SIZE, True)


def test_the_fingerprint_is_of_the_part_that_is_read():
    parts = ["train", "train[:4]", "train[4:8]", "validation"]
    digests = [
        load_tfds("tiny_photos", part, _SIZE, True).fingerprint()["digest"]
        for part in [*parts, *parts]
    ]
    assert digests[:4] == digests[4:]
    assert len(set(digests)) == 4


def _shard(builder, **changes):
    """The one file of the training images, written again."""
    (file,) = builder.info.splits["train"].filepaths
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(file))]
    for place, record in changes.items():
        records[int(place[1:])] = record
    write_records(file, [record for record in records if record is not None])


@pytest.fixture
def digits(tmp_path, monkeypatch):
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    builder = TinyDigits(data_dir=str(tmp_path))
    builder.download_and_prepare()
    return builder


def test_a_shard_that_lost_a_record_is_told(digits):
    _shard(digits, _3=None)
    with pytest.raises(DataError, match=r"holds 8 records where .*says 9: prepare"):
        load_tfds("tiny_digits", "train", _SIZE, True)


def test_a_label_that_names_no_class_is_told(digits):
    image = tf.io.encode_png(_digits[0]).numpy()
    _shard(digits, _3=make_example(image, 10, keys=("image", "label")))
    with pytest.raises(DataError, match=r"label of record 3 .* is 10; .* 0 to 9"):
        load_tfds("tiny_digits", "train", _SIZE, True)


def test_a_format_that_cannot_be_read_is_told(digits, monkeypatch):
    riegeli = tfds.core.FileFormat.RIEGELI
    monkeypatch.setattr(tfds.core.DatasetInfo, "file_format", riegeli)
    with pytest.raises(DataError, match=r"as riegeli.*--file_format=tfrecord"):
        load_tfds("tiny_digits", "train", _SIZE, True)
