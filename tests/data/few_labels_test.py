"""Of a source with few labels only these are seen, wherever its images lie."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.data import DataError, Subset, load
from simclr_tf.data.few_labels import FewLabels
from simclr_tf.data.relabelled import with_class_names


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "images.npz"
    images = np.random.default_rng(0).integers(0, 256, [12, 8, 8, 3], np.uint8)
    np.savez(
        path,
        x_train=images,
        y_train=np.arange(12) % 3,
        classes=np.array(["cat", "dog", "owl"]),
    )
    return load(f"npz:{path}", "train")


def _read(source):
    places = tf.data.Dataset.range(len(source)).batch(5)
    return np.concatenate([b["label"] for b in source.read(places)])


def test_of_a_whole_source(source):
    few = FewLabels(source, np.array([10, 1]))
    expected = np.full(12, -1)
    expected[[1, 10]] = 1
    np.testing.assert_array_equal(few.labels(), expected)
    np.testing.assert_array_equal(_read(few), expected)
    assert few.class_names == ["cat", "dog", "owl"]
    assert list(few.identity()) != list(FewLabels(source, np.array([10])).identity())


def test_of_a_part_in_an_order_of_its_own(source):
    part = Subset(Subset(source, np.arange(11, 2, -1), "a"), np.array([8, 0, 4]), "b")
    np.testing.assert_array_equal(part.indices(np.arange(3)), [3, 11, 7])
    for places in ([1], [0, 2], []):
        few = FewLabels(part, np.array(places, int))
        expected = np.full(3, -1)
        expected[places] = np.array([0, 2, 1])[places]
        np.testing.assert_array_equal(few.labels(), expected)
        np.testing.assert_array_equal(_read(few), expected)


@pytest.mark.slow
def test_of_files(photos):
    source = load(f"folder:{photos}/train", "train", image_size=32)
    few = FewLabels(source, np.array([2]))
    places = tf.data.Dataset.range(4).batch(4).map(lambda index: {"index": index})
    batches = few.read_files(places, lambda image, asked: {"label": asked["index"]})
    labels = next(iter(batches))["label"].numpy()
    assert labels[2] == source.labels()[2]
    assert set(labels[[0, 1, 3]]) == {-1}


def test_labels_by_the_names_of_other_classes(source):
    named = with_class_names(source, ["owl", "emu", "cat"])
    np.testing.assert_array_equal(named.labels()[:3], [2, -1, 0])
    assert named.num_classes == 3
    assert with_class_names(source, ["cat", "dog", "owl"]) is source
    with pytest.raises(DataError, match="other classes than the classifier: cat, dog"):
        with_class_names(source, ["emu", "yak"])
