"""What is measured on was not trained on, and its labels mean the same."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from simclr_tf.data import (
    HELD_OUT,
    DataError,
    MissingSplit,
    labelled_part,
    load_for_pretraining,
    load_test,
    load_train_and_test,
    splits,
)
from tests.data.record_files import read_all, write_images

_IMAGES = np.random.default_rng(0).integers(0, 256, [50, 8, 8, 3], np.uint8)
_LABELS = np.arange(50) % 5


def _save(path, **arrays):
    np.savez(path, **arrays)
    return f"npz:{path}"


@pytest.fixture
def one_split(tmp_path):
    return _save(tmp_path / "one.npz", images=_IMAGES, labels=_LABELS)


@pytest.fixture
def loads(monkeypatch):
    """The (spec, split) of each dataset that is loaded."""
    seen = []

    def load(spec, split, **settings):
        seen.append((spec, split))
        return original(spec, split, **settings)

    original = splits.load
    monkeypatch.setattr(splits, "load", load)
    return seen


def _folder(root, classes):
    """A picture for each class; None is a picture beside the classes."""
    for name in classes:
        folder = root / (name or "")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(_IMAGES[0]).save(folder / "picture.png")
    return f"folder:{root}"


def _read(source):
    places = tf.data.Dataset.range(len(source)).batch(len(source), drop_remainder=True)
    return next(iter(source.read(places)))


def test_a_test_split_is_used_where_there_is_one():
    train, test = load_train_and_test("shapes:40", image_size=16)
    assert (train.split, len(train)) == ("train", 40)
    assert (test.split, len(test)) == ("test", 2_000)
    assert train.image_shape == test.image_shape == (16, 16, 3)


def test_a_fifth_is_held_out_where_there_is_none(one_split):
    train, test = load_train_and_test(one_split)
    assert (train.split, len(train)) == ("train", 40)
    assert (test.split, len(test)) == ("held out", 10)
    parts = [_read(part) for part in (train, test)]
    places = np.concatenate([part["index"] for part in parts])
    np.testing.assert_array_equal(np.sort(places), np.arange(50))
    for part in parts:
        np.testing.assert_array_equal(part["image"], _IMAGES[part["index"]])
        np.testing.assert_array_equal(part["label"], _LABELS[part["index"]])


def test_alone_the_images_to_measure_on_are_the_same(one_split, tmp_path, loads):
    other = _save(tmp_path / "other.npz", images=_IMAGES[:9], labels=_LABELS[:9])
    two = _save(tmp_path / "two.npz", x_train=_IMAGES[:9], x_test=_IMAGES[9:20])
    for dataset, named, seen in (
        (two, None, [(two, "test")]),
        (one_split, None, [(one_split, "test"), (one_split, "train")]),
        (two, other, [(other, "test"), (other, "train")]),
    ):
        _, wanted = load_train_and_test(dataset, named, labels=False)
        loads.clear()
        alone = load_test(dataset, named, labels=False)
        assert loads == seen
        assert (alone.spec, alone.split) == (wanted.spec, wanted.split)
        assert _places(alone) == _places(wanted)


def test_the_same_images_are_held_out_each_time(one_split):
    first, second = (load_train_and_test(one_split)[1] for _ in range(2))
    np.testing.assert_array_equal(_read(first)["index"], _read(second)["index"])
    tf.random.set_seed(5)
    np.random.seed(5)
    third = load_train_and_test(one_split)[1]
    np.testing.assert_array_equal(_read(first)["index"], _read(third)["index"])


def test_what_is_held_out_is_no_run_of_the_files_order(one_split):
    places = np.sort(_read(load_train_and_test(one_split)[1])["index"])
    assert places[-1] - places[0] > 20
    assert len(set(np.diff(places))) > 1


def test_labels_are_left_out_when_not_asked_for(one_split):
    for part in load_train_and_test(one_split, labels=False):
        assert part.num_classes is None
        assert "label" not in _read(part)


def _places(source):
    return set(_read(source)["index"].numpy().tolist())


def test_each_class_is_held_out_in_its_share(tmp_path):
    # 30 images of class 0, 10 of 1, 4 of 2, 2 of 3, one of 4, and 3 unlabelled.
    labels = np.repeat([0, 1, 2, 3, 4, -1], [30, 10, 4, 2, 1, 3])
    labels = np.random.default_rng(1).permutation(labels)
    spec = _save(tmp_path / "uneven.npz", images=_IMAGES, labels=labels)
    train, test = load_train_and_test(spec)
    held_out = labels[sorted(_places(test))]
    np.testing.assert_array_equal(np.bincount(held_out, minlength=5), [6, 2, 1, 1, 0])
    assert _places(train) == set(range(50)) - _places(test)
    np.testing.assert_array_equal(test.labels(), held_out)


def test_two_images_a_class_are_one_to_fit_on_and_one_to_measure_on(tmp_path):
    labels = np.arange(50) % 25
    spec = _save(tmp_path / "two.npz", images=_IMAGES, labels=labels)
    for part in load_train_and_test(spec):
        np.testing.assert_array_equal(np.sort(_read(part)["label"]), np.arange(25))


def test_one_image_a_class_cannot_be_split(tmp_path):
    spec = _save(tmp_path / "one.npz", images=_IMAGES, labels=np.arange(50))
    with pytest.raises(MissingSplit, match=r"no class has two.*Give --test_dataset\."):
        load_train_and_test(spec)
    data = load_for_pretraining(spec, image_size=8, labels=True)
    assert (len(data.train), data.bank, data.queries) == (50, None, None)
    assert "no class has two images" in data.note


def test_pretraining_does_not_see_what_is_held_out(one_split, loads):
    data = load_for_pretraining(one_split, image_size=8, labels=True)
    assert loads == [(one_split, "train"), (one_split, "test")]
    assert (len(data.train), len(data.queries)) == (40, 10)
    assert not _places(data.train) & _places(data.queries)
    assert _places(data.bank) == _places(data.train)
    assert data.queries.split == HELD_OUT
    assert "10 of 50, is held out" in data.note
    # The evaluation commands measure on the same images.
    train, test = load_train_and_test(one_split)
    assert _places(train) == _places(data.train)
    assert _places(test) == _places(data.queries)


def test_pretraining_on_all_images_says_what_that_does_to_the_figures(one_split):
    data = load_for_pretraining(
        one_split, image_size=8, labels=True, pretrain_on_all=True
    )
    assert (len(data.train), len(data.bank), len(data.queries)) == (50, 40, 10)
    assert "better than on new images" in data.note


def test_pretraining_sees_all_where_there_is_a_test_split(loads):
    data = load_for_pretraining("shapes:40", image_size=16, labels=True)
    assert loads == [("shapes:40", "train"), ("shapes:40", "test")]
    assert data.train is data.bank
    assert (len(data.train), len(data.queries), data.note) == (40, 2_000, "")


def test_pretraining_sees_all_where_a_test_dataset_is_named(tmp_path, one_split):
    other = _save(tmp_path / "other.npz", images=_IMAGES[:9], labels=_LABELS[:9])
    data = load_for_pretraining(one_split, other, image_size=8, labels=True)
    assert (len(data.train), len(data.queries), data.note) == (50, 9, "")


def test_pretraining_without_labels_holds_nothing_out(one_split, loads):
    data = load_for_pretraining(one_split, image_size=8, labels=False)
    assert loads == [(one_split, "train")]
    assert (len(data.train), data.bank, data.queries, data.note) == (50, None, None, "")


@pytest.mark.parametrize("count", [2, 3])
def test_both_parts_of_few_images_hold_some(tmp_path, count):
    spec = _save(tmp_path / "few.npz", images=_IMAGES[:count])
    train, test = load_train_and_test(spec)
    assert (len(train), len(test)) == (count - 1, 1)


def test_a_single_image_is_not_split(tmp_path):
    spec = _save(tmp_path / "single.npz", images=_IMAGES[:1])
    with pytest.raises(DataError, match="at least 2 images are needed"):
        load_train_and_test(spec)


def test_a_test_dataset_gives_its_test_split_or_its_only_one(tmp_path, one_split):
    both = _save(
        tmp_path / "both.npz",
        x_train=_IMAGES[:20],
        y_train=_LABELS[:20],
        x_test=_IMAGES[20:27],
        y_test=_LABELS[20:27],
    )
    train, test = load_train_and_test(one_split, both)
    assert (len(train), len(test)) == (50, 7)
    train, test = load_train_and_test(both, one_split)
    assert (len(train), len(test)) == (20, 50)


def test_the_same_classes_in_the_same_order_are_the_same(tmp_path):
    spec = _folder(tmp_path / "train", ["cat", "dog"])
    other = _folder(tmp_path / "elsewhere", ["dog", "cat"])
    train, test = load_train_and_test(spec, other, image_size=8)
    assert train.class_names == test.class_names == ["cat", "dog"]


def test_a_class_that_one_split_alone_has_is_told_and_left_out(tmp_path):
    train = _folder(tmp_path / "a", ["ant", "cat", "dog"])
    test = _folder(tmp_path / "b", ["cat", "dog", "emu"])
    train, test = load_train_and_test(train, test, image_size=8)
    assert train.class_names == test.class_names == ["ant", "cat", "dog"]
    assert test.num_classes == 3
    np.testing.assert_array_equal(test.labels(), [1, 2, -1])
    batch = _read(test)
    np.testing.assert_array_equal(batch["label"], [1, 2, -1])
    assert "has emu: its 1 images are left out of the figures." in test.class_note
    assert "(train) has ant." in test.class_note
    np.testing.assert_array_equal(labelled_part(test).labels(), [1, 2])


def test_a_test_split_that_lacks_a_class_keeps_the_meaning_of_labels(tmp_path):
    # Its label 0 would be cat, where the training split's is ant.
    _folder(tmp_path / "train", ["ant", "cat", "dog"])
    _folder(tmp_path / "test", ["cat", "dog"])
    _, test = load_train_and_test(f"folder:{tmp_path}", image_size=8)
    np.testing.assert_array_equal(test.labels(), [1, 2])


def test_data_sets_without_a_common_class_are_refused(tmp_path):
    train = _folder(tmp_path / "a", ["ant", "cat"])
    test = _folder(tmp_path / "b", ["dog", "emu"])
    with pytest.raises(DataError, match="different classes: ant, cat; and dog, emu"):
        load_train_and_test(train, test, image_size=8)


@pytest.mark.parametrize(
    ("names", "expected"), [(["a", "b", "d"], [0, 1, -1]), (["b", "a", "c"], [1, 0, 2])]
)
def test_labels_are_told_apart_by_their_names(tmp_path, names, expected):
    labels = np.arange(50) % 3
    train, test = (
        _save(
            tmp_path / f"{number}.npz",
            images=_IMAGES,
            labels=labels,
            classes=np.array(classes),
        )
        for number, classes in enumerate((["a", "b", "c"], names))
    )
    _, test = load_train_and_test(train, test)
    np.testing.assert_array_equal(test.labels(), np.array(expected)[labels])


def test_labels_by_names_and_by_numbers_alone_are_refused(tmp_path):
    arrays = {"images": _IMAGES, "labels": _LABELS}
    named = _save(tmp_path / "a.npz", classes=np.array(list("abcde")), **arrays)
    with pytest.raises(DataError, match="different classes: a, b"):
        load_train_and_test(named, _save(tmp_path / "b.npz", **arrays))


def test_labels_that_training_lacks_are_left_out(tmp_path):
    arrays = {"x_train": _IMAGES, "x_test": _IMAGES}
    more = _save(
        tmp_path / "more.npz", y_train=_LABELS, y_test=np.arange(50) % 6, **arrays
    )
    train, test = load_train_and_test(more)
    assert (train.num_classes, test.num_classes) == (5, 5)
    labels = np.arange(50) % 6
    np.testing.assert_array_equal(test.labels(), np.where(labels == 5, -1, labels))
    fewer = _save(
        tmp_path / "fewer.npz", y_train=_LABELS, y_test=np.arange(50) % 4, **arrays
    )
    train, test = load_train_and_test(fewer)
    assert (train.num_classes, test.num_classes) == (5, 4)


@pytest.mark.parametrize("name", ["unlabeled", "Unlabelled"])
def test_few_labels_beside_many_images_without(tmp_path, name):
    _folder(tmp_path / "train", ["cat", "dog", f"{name}/1", f"{name}/2", None])
    _folder(tmp_path / "test", ["cat", "dog"])
    data = load_for_pretraining(f"folder:{tmp_path}", image_size=8, labels=True)
    assert data.train.class_names == ["cat", "dog"]
    assert sorted(data.train.labels()) == [-1, -1, -1, 0, 1]
    np.testing.assert_array_equal(data.bank.labels(), [0, 1])
    assert len(data.queries) == 2
    assert "2 of 5 images have labels: the figures are of those alone." in data.note
    assert f"Classes: cat, dog; the subfolders of {tmp_path}/train." in data.note


def test_an_unlabelled_folder_beside_the_splits_is_learned_from(tmp_path, capsys):
    _folder(tmp_path, ["train/cat", "train/dog", "test/cat", "test/dog", "unlabeled"])
    data = load_for_pretraining(f"folder:{tmp_path}", image_size=8, labels=True)
    assert sorted(data.train.labels()) == [-1, 0, 1]
    said = "images in unlabeled are learned from too, without labels"
    assert said in capsys.readouterr().err


def test_arrays_and_records_may_be_labelled_in_part(tmp_path):
    labels = np.where(np.arange(50) < 40, -1, np.arange(50) % 2)
    arrays = _save(tmp_path / "part.npz", images=_IMAGES, labels=labels)
    files = [tf.io.encode_png(image).numpy() for image in _IMAGES]
    write_images(tmp_path / "records", files, labels.tolist())
    for spec in (arrays, f"tfrecord:{tmp_path / 'records'}"):
        data = load_for_pretraining(spec, image_size=8, labels=True)
        assert (len(data.train), len(data.bank), len(data.queries)) == (48, 8, 2)
        assert "8 of 48 images have labels" in data.note


def test_without_a_labelled_test_image_nothing_is_measured(tmp_path):
    labels = np.arange(50) % 2
    spec = _save(
        tmp_path / "a.npz",
        x_train=_IMAGES,
        y_train=labels,
        x_test=_IMAGES[:9],
        y_test=np.full(9, 2),
    )
    with pytest.raises(DataError, match="different classes"):
        load_for_pretraining(
            spec, _folder(tmp_path / "f", ["x", "y"]), image_size=8, labels=True
        )
    found = load_for_pretraining(spec, image_size=8, labels=True)
    assert (found.bank, found.queries) == (None, None)
    assert "No test image is labelled: kNN is not measured." in found.note


def test_unlabelled_test_images_are_left_to_the_caller(tmp_path):
    _folder(tmp_path / "train", ["cat", "dog"])
    _folder(tmp_path / "test", [None])
    train, test = load_train_and_test(f"folder:{tmp_path}", image_size=8)
    assert train.num_classes == 2
    assert test.num_classes is None


@pytest.mark.slow
def test_of_records_without_a_test_split_a_fifth_is_held_out(tmp_path):
    files = [tf.io.encode_png(image).numpy() for image in _IMAGES[:10]]
    write_images(tmp_path / "records", files, [0, 1] * 5)
    train, test = load_train_and_test(f"tfrecord:{tmp_path / 'records'}", image_size=8)
    assert (len(train), len(test)) == (8, 2)
    assert sorted(train.labels()) == [0] * 4 + [1] * 4
    examples = read_all(test)
    places = [int(example["index"]) for example in examples]
    assert sorted(place % 2 for place in places) == [0, 1]
    assert [int(example["label"]) for example in examples] == [p % 2 for p in places]


def test_another_dataset_judges_what_is_learned_from_unlabelled_images(
    one_split, tmp_path
):
    bare = _save(tmp_path / "bare.npz", images=_IMAGES)
    found = load_for_pretraining(bare, None, one_split, image_size=None, labels=True)
    assert len(found.train) == 50
    assert found.train.num_classes is None
    assert (len(found.bank), len(found.queries)) == (40, 10)
    assert found.bank.spec == one_split
    assert one_split in found.note
    # Nothing of a labelled dataset is held out either, where another judges.
    own = load_for_pretraining(one_split, None, "shapes", image_size=8, labels=True)
    assert len(own.train) == 50
    assert own.queries.spec == "shapes"
    with pytest.raises(DataError, match="eval_dataset must have labels"):
        load_for_pretraining(one_split, None, bare, image_size=None, labels=True)
