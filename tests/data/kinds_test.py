"""Few words name a source, and wrong words are answered with the right ones."""

import pytest

from simclr_tf.data import DataError, load
from simclr_tf.data.kinds import KINDS

_NOTATION = "Use shapes, npz:PATH, folder:PATH, tfrecord:GLOB or tfds:NAME."


@pytest.mark.parametrize(
    "spec", ["", ":", "Shapes", "zip:images.zip", "/data/photos", "C:\\photos"]
)
def test_an_unknown_kind_is_answered_with_the_kinds(spec):
    with pytest.raises(DataError) as caught:
        load(spec)
    assert str(caught.value) == f"Dataset {spec!r} is of no known kind. {_NOTATION}"


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
