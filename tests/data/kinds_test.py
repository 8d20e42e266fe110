"""Few words name a source, and wrong words are answered with the right ones."""

import pytest

from simclr_tf.data import DataError, load
from simclr_tf.data.kinds import KINDS

_NOTATION = (
    "Use shapes, npz:PATH, folder:PATH, pages:PATH (a folder whose TIFF pages are "
    "images of their own), list:FILE, tfrecord:GLOB, tfds:NAME or "
    "package.module:function:ARGUMENT of your own."
)


@pytest.mark.parametrize(
    "spec", ["", ":", "zip:images.zip", "/data/photos", "C:\\photos"]
)
def test_an_unknown_kind_is_answered_with_the_kinds(spec):
    with pytest.raises(DataError) as caught:
        load(spec)
    assert str(caught.value) == f"Dataset {spec!r} is of no known kind. {_NOTATION}"


@pytest.mark.parametrize(
    ("spec", "meant"),
    [
        ("Shapes", "Did you mean shapes?"),
        ("nzp:a.npz", "Did you mean npz:a.npz?"),
        ("Folder:photos", "Did you mean folder:photos?"),
        ("dir:photos", "Did you mean folder:photos?"),
        ("photos", "Did you mean folder:photos?"),
        ("./photos", "Did you mean folder:./photos?"),
        ("a.npz", "Did you mean npz:a.npz?"),
        ("gs://bucket/a.npz", "Did you mean npz:gs://bucket/a.npz?"),
        ("names.txt", "Did you mean list:names.txt?"),
        ("cifar10", "Did you mean folder:cifar10, or tfds:cifar10 of TensorFlow"),
        ("https://example.org/a.npz", "Download it first"),
    ],
)
def test_what_it_was_meant_to_be(spec, meant, tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    (tmp_path / "a.npz").touch()
    (tmp_path / "names.txt").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        load(spec)
    assert meant in str(caught.value)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"shapes"}))
@pytest.mark.parametrize("colon", ["", ":"])
def test_a_kind_without_its_argument_is_answered_with_the_notation(kind, colon):
    with pytest.raises(DataError) as caught:
        load(kind + colon)
    assert str(caught.value).endswith(f"names nothing after {kind}:. {_NOTATION}")


def test_the_notation_names_every_kind():
    for kind in KINDS:
        assert kind in _NOTATION


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"shapes"}))
@pytest.mark.parametrize("split", ["train", "test"])
def test_what_is_not_there_is_named(kind, split, tmp_path):
    if kind == "tfds":
        pytest.importorskip("tensorflow_datasets")
    missing = "no_such_dataset" if kind == "tfds" else str(tmp_path / "missing")
    with pytest.raises(DataError, match=r"missing|no_such_dataset"):
        load(f"{kind}:{missing}", split)


def test_an_argument_may_hold_colons(tmp_path):
    folder = tmp_path / "a:b"
    with pytest.raises(DataError, match="a:b is no folder"):
        load(f"folder:{folder}")


def test_the_spec_is_remembered():
    assert load("shapes").spec == load("shapes:").spec == "shapes"
    assert load("shapes:70").spec == "shapes:70"


def own(argument, split, image_size, labels):
    if not argument:
        return "no source"
    source = load("shapes:70", split, image_size=image_size, labels=labels)
    source.spec = f"{argument} {image_size} {labels}"
    return source


def own_as_called(argument, split, image_size, labels):
    raise DataError(f"{argument} {split} {image_size} {labels}")


def test_a_function_of_ones_own_gives_a_source():
    """It is called as the functions of `KINDS` are, and the source keeps its name."""
    spec = f"{__name__}:own:a:b"
    source = load(spec, "test", image_size=16, labels=False)
    assert (source.spec, source.split) == (spec, "test")
    assert source.image_shape == (16, 16, 3)
    assert source.num_classes is None
    with pytest.raises(DataError, match=r"^a:b test 16 False$"):
        load(f"{__name__}:own_as_called:a:b", "test", image_size=16, labels=False)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (f"{__name__}:nothing:a", "no attribute 'nothing'.* Or use shapes, npz:PATH"),
        (
            "zip:images",
            "dataset 'zip:images' cannot be imported: No module named 'zip'",
        ),
        (f"{__name__}:own", "must give a simclr_tf.data.Source, got a str"),
    ],
)
def test_a_function_that_gives_no_source_is_told(spec, message):
    with pytest.raises(DataError, match=message):
        load(spec)
