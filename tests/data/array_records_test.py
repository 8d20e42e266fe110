"""A dataset stored as ArrayRecord gives what it gives as TFRecord files."""

from __future__ import annotations

import gc
import os
import pathlib
import shutil
import sys

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.data import array_records
from simclr_tf.data.batches import pretrain_batches
from simclr_tf.data.elsewhere import made_elsewhere
from simclr_tf.data.failures import data_errors
from simclr_tf.data.source import DataError
from simclr_tf.data.tfds import load_tfds
from tests.data.record_files import make_jpegs, read_all

pytestmark = pytest.mark.slow

tfds = pytest.importorskip("tensorflow_datasets")
pytest.importorskip("array_record")

_SIZE = 16
_COUNT, _SHARDS = 21, 3


class TinyShells(tfds.core.GeneratorBasedBuilder):
    """JPEGs of many sizes, in some files."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        label = tfds.features.ClassLabel(names=["cone", "conch", "cowrie"])
        features = {"image": tfds.features.Image(), "label": label}
        features = tfds.features.FeaturesDict(features)
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for place, jpeg in enumerate(make_jpegs(_COUNT)):
            yield place, {"image": jpeg, "label": place % 3}


def _prepare(folder, form):
    builder = TinyShells(data_dir=str(folder), file_format=form)
    settings = tfds.download.DownloadConfig(num_shards=_SHARDS)
    builder.download_and_prepare(download_config=settings)


def _load(folder, split="train"):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tfds.core.constants, "DATA_DIR", str(folder))
        return load_tfds("tiny_shells", split, _SIZE, True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("array_record")
    _prepare(folder, "array_record")
    return folder


@pytest.fixture(scope="module")
def source(folder):
    return _load(folder)


@pytest.fixture(scope="module")
def every(source):
    return read_all(source)


@pytest.fixture
def changed(folder, tmp_path):
    """A dataset of a test's own, and its files."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return tmp_path, sorted(tmp_path.glob("tiny_shells/*/*array_record*"))


def _same(some, others):
    assert len(some) == len(others)
    for one, other in zip(some, others):
        assert one.keys() == other.keys()
        for name, values in one.items():
            np.testing.assert_array_equal(values, other[name])


def test_images_labels_and_their_order_are_those_of_tfrecord_files(
    folder, source, every, tmp_path
):
    _prepare(tmp_path, "tfrecord")
    expected = _load(tmp_path)
    files = sorted(folder.glob("tiny_shells/*/*array_record*"))
    assert len(files) == _SHARDS
    assert len(source) == _COUNT
    assert (source.class_names, source.image_shape) == (
        expected.class_names,
        expected.image_shape,
    )
    np.testing.assert_array_equal(source.labels(), expected.labels())
    _same(every, read_all(expected))


def test_any_order_and_any_part(folder, source, every):
    places = np.random.default_rng(0).permutation(_COUNT).astype(np.int64)
    batches = tf.data.Dataset.from_tensor_slices(places).batch(7, drop_remainder=True)
    mixed = source.read(batches).unbatch()
    _same(list(mixed), [every[place] for place in places])
    part = _load(folder, "train[10%:80%]")
    labels = source.labels()[2:17]
    np.testing.assert_array_equal(part.labels(), labels)
    images = [{**example, "index": 0} for example in read_all(part)]
    _same(images, [{**example, "index": 0} for example in every[2:17]])
    digests = [s.fingerprint()["digest"] for s in (source, _load(folder), part)]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.exhaustive  # `tfds_test.py` has TFRecord files.
def test_batches_of_two_hosts_from_any_step_are_those_of_one_device(source):
    def take(count, **settings):
        batches = pretrain_batches(source, None, batch_size=8, seed=3, **settings)
        return list(batches.take(count).as_numpy_iterator())

    whole = take(5)
    seen = np.concatenate([batch["image"] for batch in whole[:2]])
    assert len({image.tobytes() for image in seen}) == 16
    shares = [
        take(2, start_step=3, context=tf.distribute.InputContext(2, host, 2))
        for host in range(2)
    ]
    halves = [
        {name: np.concatenate([half[name] for half in pair]) for name in pair[0]}
        for pair in zip(*shares)
    ]
    _same(halves, whole[3:])


@pytest.mark.exhaustive
def test_few_files_are_open_at_a_time(folder, monkeypatch):
    def open_files():
        gc.collect()  # Sources that are no longer used.
        targets = []
        for descriptor in pathlib.Path("/proc/self/fd").iterdir():
            try:
                targets.append(os.readlink(descriptor))
            except OSError:  # It was the folder's own.
                continue
        return sum(str(folder) in target for target in targets)

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("open files are listed in /proc/self/fd")
    before = open_files()
    monkeypatch.setattr(array_records, "_OPEN_AT_ONCE", 1)
    own = _load(folder)
    assert len(read_all(own)) == _COUNT
    assert open_files() == before + 1


def _damage(file):
    """Changes a byte among the first records; size and time stay."""
    state = os.stat(file)
    contents = bytearray(file.read_bytes())
    contents[3000] ^= 1
    file.write_bytes(contents)
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))


def test_a_damaged_record_is_named(changed):
    folder, files = changed
    _damage(files[1])
    with pytest.raises(DataError, match=rf"{files[1].name}: corrupted record \d"):
        _load(folder)


def test_a_record_damaged_after_it_was_indexed_ends_the_reading(changed):
    folder, files = changed
    source = _load(folder)
    _damage(files[1])
    message = rf"tiny_shells \(train\).*{files[1].name}: corrupted record \d .*hash"
    with pytest.raises(DataError, match=message) as caught, data_errors(source):
        read_all(source)
    assert "\n" not in str(caught.value)


def test_files_that_are_not_whole_or_change_are_told(changed):
    folder, files = changed
    source = _load(folder)
    contents = files[1].read_bytes()
    files[1].write_bytes(files[0].read_bytes())
    message = "changed while it was read"
    with pytest.raises(DataError, match=message), data_errors(source):
        read_all(source)
    for wrong in (contents[: len(contents) // 2], contents[:-1], b""):
        files[1].write_bytes(wrong)
        with pytest.raises(DataError, match=f"{files[1].name} was cut short"):
            _load(folder)


def test_a_data_service_is_refused(source):
    def share(_):
        with made_elsewhere():
            return pretrain_batches(source, None, batch_size=8, seed=3)

    with pytest.raises(DataError, match=r"tiny_shells \(train\) is stored as Arr") as e:
        tf.data.Dataset.range(1).flat_map(share)
    assert "simclr prepare" in str(e.value)
    assert "\n" not in str(e.value)


def test_what_cannot_be_read_here_says_what_to_do(folder, monkeypatch):
    with pytest.raises(DataError, match="disks of this machine"):
        array_records.ArrayScan.of("gs://bucket/shells.array_record")
    monkeypatch.setitem(sys.modules, "array_record.python", None)
    message = r"pip install 'simclr-tf\[tfds\]'; or .*--file_format=tfrecord"
    with pytest.raises(DataError, match=message):
        _load(folder)
