"""pretrain takes images from a program as it takes those that have a name."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.cli.main import main
from simclr_tf.data import DataError, Source, load
from simclr_tf.errors import UserError
from simclr_tf.training import Recipe, RunFolder, RunFolderError, Stopped, pretrain
from tests import sample_images, tiny
from tests.training.ended_runs import after, assert_same_state, rows_of, send_sigterm

pytestmark = pytest.mark.slow

IMAGES, LABELS = sample_images.images(40, 16, classes=2)
RECIPE = Recipe(
    image_size=16,
    encoder=tiny.NAME,
    head_layers=1,
    head_out_dim=8,
    eval="",
    views="crop(0.2)|flip",
    batch_size=8,
    epochs=2,
    early_share=0.0,
    precision="float32",
)


def _dataset(images=IMAGES):
    return tf.data.Dataset.from_tensor_slices(images).batch(7)


class Own(Source):
    """Random access to an array, as a user writes it."""

    def __init__(self):
        about = {"spec": "my images", "split": "train"}
        super().__init__(image_shape=(16, 16, 3), num_examples=40, **about)

    def read(self, indices):
        images = tf.constant(IMAGES)
        return indices.map(lambda i: {"image": tf.gather(images, i), "index": i})


def _train(run, source, recipe=RECIPE):
    said = []
    result = pretrain(recipe, str(run), source=source, say=said.append)
    return result, "\n".join(said)


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """A run of the same images, from a file."""
    folder = tmp_path_factory.mktemp("named")
    np.savez(folder / "images.npz", images=IMAGES)
    spec = f"npz:{folder / 'images.npz'}"
    pretrain(dataclasses.replace(RECIPE, dataset=spec), str(folder / "run"))
    return folder / "run"


def test_the_run_is_that_of_the_same_images_by_name(named, tmp_path):
    result, said = _train(tmp_path / "run", Own())
    assert result["steps"] == 10
    assert_same_state(tmp_path / "run", named)
    assert "Data: my images (train): 40 images, 16x16" in said
    assert RunFolder(str(tmp_path / "run")).recipe().dataset == "given:my images"


def test_so_it_is_with_a_dataset_stopped_on_the_way(named, tmp_path):
    """And other images, or none, do not resume it."""
    run = tmp_path / "run"
    with after(7, send_sigterm), pytest.raises(Stopped):
        _train(run, _dataset())
    with pytest.raises(RunFolderError, match=r"The data of .* has changed"):
        _train(run, _dataset(IMAGES[::-1]))
    with pytest.raises(RunFolderError, match=r"dataset was given:tf\.data"):
        pretrain(RECIPE, str(run))
    _train(run, _dataset())
    assert rows_of(run) == rows_of(named)
    assert_same_state(run, named)


def test_with_labels_a_fifth_is_held_out_and_commands_ask_for_images(tmp_path, capsys):
    labelled = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS))
    recipe = dataclasses.replace(RECIPE, eval="knn", epochs=1)
    result, said = _train(tmp_path / "run", labelled, recipe)
    assert "8 of 40, is held out" in said
    assert 0.0 <= result["metrics"]["knn_accuracy"] <= 1.0
    assert main(["knn", f"--run={tmp_path / 'run'}"]) == 2
    assert "were handed to it in Python" in capsys.readouterr().err
    np.savez(tmp_path / "images.npz", images=IMAGES, labels=LABELS)
    flags = [f"--run={tmp_path / 'run'}", f"--dataset=npz:{tmp_path / 'images.npz'}"]
    capsys.readouterr()
    assert main(["knn", *flags, f"--output={tmp_path / 'knn.json'}"]) == 0
    assert "32 train, 8 test" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "changes", "error", "message"),
    [
        (
            lambda: IMAGES,
            {},
            UserError,
            "must be a simclr_tf.data.Source or .*got a ndarray",
        ),
        (Own, {"dataset": "shapes:40"}, UserError, "leave one of them out"),
        (lambda: load("shapes:40"), {"labels": False}, UserError, "labels=False"),
        (Own, {"channels": 1}, DataError, "images of 3 channels, and channels=1"),
        (Own, {"value_range": "0,9"}, DataError, "leave out value_range"),
        (
            lambda: _dataset(IMAGES[:20]),
            {"batch_size": None},
            UserError,
            "give 32 or more",
        ),
        (_dataset, {"method": "supcon"}, UserError, "has none"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, source, changes, error, message):
    recipe = dataclasses.replace(RECIPE, **changes)
    with pytest.raises(error, match=message):
        _train(tmp_path / "run", source(), recipe)
    assert not (tmp_path / "run").exists()
