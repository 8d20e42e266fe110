"""Few labels are balanced, nested, and a function of the seed alone."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from simclr_tf.data import DataError, load
from simclr_tf.data.train_labels import choose_train_labels, require_train_labels
from tests import sample_images


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """100, 30 and 4 images of three classes, in no order, and 6 unlabelled."""
    path = tmp_path_factory.mktemp("data") / "images.npz"
    labels = np.repeat([0, 1, 2, -1], [100, 30, 4, 6])
    labels = np.random.default_rng(0).permutation(labels)
    images = np.zeros([len(labels), 4, 4, 3], np.uint8)
    images[:, 0, 0, 0] = np.arange(len(labels))
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
    return load(f"npz:{path}", "train")


def _places(source):
    if source is None:
        return set()
    batches = source.read(tf.data.Dataset.range(len(source)).batch(64))
    return {int(place) for batch in batches for place in batch["index"].numpy()}


def _counts(part):
    return np.bincount(part.labels()[part.labels() >= 0], minlength=3).tolist()


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        ("all", [100, 30, 4]),
        ("1.0", [100, 30, 4]),
        ("2-per-class", [2, 2, 2]),
        ("10-per-class", [10, 10, 4]),
        ("0.1", [5, 5, 4]),  # 14 of 134, as near to 13.4 as equal numbers come
        ("0.0001", [1, 1, 1]),
    ],
)
def test_classes_give_equally_many_as_far_as_they_have_them(source, said, counts):
    found = choose_train_labels(source, said, seed=0)
    assert _counts(found.labelled) == counts
    assert (found.labelled.labels() >= 0).all()
    labelled, others = _places(found.labelled), _places(found.others)
    assert not labelled & others
    assert labelled | others == set(range(140))
    assert f"{sum(counts)} of 134" in found.note


def test_fewer_labels_are_among_more_and_the_seed_alone_decides(source):
    chosen = [
        _places(choose_train_labels(source, said, seed=3).labelled)
        for said in ("1-per-class", "3-per-class", "0.2", "0.5", "all")
    ]
    for fewer, more in zip(chosen, chosen[1:]):
        assert fewer < more
    again = _places(choose_train_labels(source, "0.2", seed=3).labelled)
    assert again == chosen[2]
    other = _places(choose_train_labels(source, "0.2", seed=4).labelled)
    assert other != again


def test_a_list_of_files_as_the_published_subsets_have_them(tmp_path):
    for name in ("n01", "n02"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for k in range(3):
            photo = sample_images.jpeg(sample_images.photo(20, 20, k))
            (tmp_path / "images" / name / f"{name}_{k}.JPEG").write_bytes(photo)
    source = load(f"folder:{tmp_path / 'images'}", "train")
    listed = tmp_path / "1percent.txt"
    listed.write_text("n02_2.JPEG\nn01_0.JPEG\n\n")
    found = choose_train_labels(source, f"file:{listed}", seed=0)
    names = sorted(path.rsplit("/", 1)[1] for path in found.labelled.paths)
    assert names == ["n01_0.JPEG", "n02_2.JPEG"]
    assert len(found.others) == 4
    listed.write_text("n01_0.JPEG\nn09_1.JPEG\nn09_2.JPEG\nn09_3.JPEG\nn09_4.JPEG\n")
    told = r"does not have: n09_1\.JPEG, n09_2\.JPEG, n09_3\.JPEG and 1 more"
    with pytest.raises(DataError, match=told):
        choose_train_labels(source, f"file:{listed}", seed=0)


def test_a_list_of_places(source, tmp_path):
    listed = tmp_path / "some.txt"
    places = np.flatnonzero(source.labels() == 1)[:3]
    listed.write_text("\n".join(map(str, places)))
    found = choose_train_labels(source, f"file:{listed}", seed=0)
    assert _places(found.labelled) == set(places.tolist())
    assert "None of 0, 2: these cannot be recognised" in found.note
    listed.write_text("140\n")
    with pytest.raises(DataError, match="does not have: 140"):
        choose_train_labels(source, f"file:{listed}", seed=0)
    listed.write_text(str(np.flatnonzero(source.labels() < 0)[0]))
    with pytest.raises(DataError, match="have no label"):
        choose_train_labels(source, f"file:{listed}", seed=0)
    listed.write_text("cat.jpg")
    with pytest.raises(DataError, match="are no files: give their places"):
        choose_train_labels(source, f"file:{listed}", seed=0)
    with pytest.raises(DataError, match="cannot be read as a list"):
        choose_train_labels(source, f"file:{tmp_path}/nothing.txt", seed=0)


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path):
    for place in range(6):
        path = tmp_path / "photos" / ("cat", "dog")[place % 2] / f"{place // 2}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", [4, 4]).save(path)
    source = load(f"folder:{tmp_path / 'photos'}", "train")
    listed = tmp_path / "names.txt"
    listed.write_text("cat/1.png\ndog/2.png\n")
    found = choose_train_labels(source, f"file:{listed}", seed=0)
    assert _counts(found.labelled)[:2] == [1, 1]
    listed.write_text("cat/1.png\n\n1.png\n")
    told = r"line 3 of .*names\.txt names 1\.png, which is the name of 2 images, such"
    with pytest.raises(DataError, match=told):
        choose_train_labels(source, f"file:{listed}", seed=0)
    listed.write_text("cat/1.png\n\nbird/1.png\n")
    told = (
        r"line 3 of .*names\.txt names bird/1\.png, and the image of that name lies in "
        r"another folder: .*photos/cat/1\.png, one of 2 images\."
    )
    with pytest.raises(DataError, match=told):
        choose_train_labels(source, f"file:{listed}", seed=0)


@pytest.mark.parametrize("said", ["0", "-0.1", "1.5", "nan", "many", "0-per-class"])
def test_what_is_no_number_of_labels_is_told(said):
    with pytest.raises(DataError, match="train_labels must be all, a share above 0"):
        require_train_labels(said)


def test_more_than_any_class_has_is_told(source):
    with pytest.raises(DataError, match=r"no class of .* has more than 100"):
        choose_train_labels(source, "101-per-class", seed=0)


def test_images_without_labels_are_told(tmp_path):
    path = tmp_path / "images.npz"
    np.savez(path, x_train=np.zeros([8, 4, 4, 3], np.uint8))
    with pytest.raises(DataError, match="has no labels, and train_labels chooses"):
        choose_train_labels(load(f"npz:{path}", "train"), "0.1", seed=0)
