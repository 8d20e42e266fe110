"""A run that has ended goes on, and one that begins elsewhere says so."""

import dataclasses
import shutil

import numpy as np
import pytest

from simclr_tf.training import Recipe, RunFolder, pretrain
from tests import tiny
from tests.training import resume_test

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """One epoch of eight steps: of fewer images than the default batch for many."""
    path = tmp_path_factory.mktemp("images") / "images.npz"
    images = np.random.default_rng(0).integers(0, 256, [40, 16, 16, 3], np.uint8)
    np.savez(path, x_train=images)
    return Recipe(
        dataset=f"npz:{path}",
        image_size=16,
        encoder=tiny.NAME,
        head_layers=1,
        head_out_dim=8,
        color_strength=0.0,
        blur=False,
        eval="",
        augment_on="device",
        epochs=1,
        early_share=0.0,
        learning_rate=0.1,
        precision="float32",
    )


@pytest.fixture(scope="module")
def first(recipe, tmp_path_factory):
    """A run that has ended."""
    run, lines = tmp_path_factory.mktemp("runs") / "first", []
    assert pretrain(recipe, str(run), say=lines.append)["steps"] == 8
    assert "Chosen: batch_size 5, at most an eighth of 40 images" in "\n".join(lines)
    return run


def test_an_extended_run_equals_one_that_was_so_long_from_the_beginning(
    recipe, first, tmp_path
):
    run, lines = shutil.copytree(first, tmp_path / "run"), []
    longer = dataclasses.replace(recipe, extend_epochs="2")
    result = pretrain(longer, str(run), say=lines.append)
    assert (result["epochs"], result["extended_by"], result["steps"]) == (3, [2], 24)
    said = "\n".join(lines)
    assert "1 + 2 epochs, the learning rate rises and falls again" in said
    assert "Resuming after step 8." in said
    assert "epoch 3/3" in said

    # The flags of the run repeat it; the command that left it open finds it complete.
    flags = Recipe(**dataclasses.asdict(RunFolder(str(run)).recipe()))
    assert flags.extend_epochs == "2"
    pretrain(flags, str(tmp_path / "whole"), say=lines.append)
    resume_test._assert_same(run, tmp_path / "whole")
    assert pretrain(recipe, str(run), say=lines.append) == result


def test_a_run_starts_from_anothers_weights_once(recipe, first, tmp_path):
    lines = []
    still = dataclasses.replace(
        recipe, encoder=None, init=str(first), learning_rate=1e-30, weight_decay=0.0
    )
    second = tmp_path / "second"
    pretrain(still, str(second), say=lines.append)
    assert f"The encoder starts from {first}, after step 8." in lines
    weights = [
        [
            v.numpy()
            for v in RunFolder(str(run)).load_model().encoder.trainable_variables
        ]
        for run in (first, second)
    ]
    # So small a rate leaves them as they were loaded.
    for ours, theirs in zip(*weights):
        np.testing.assert_array_equal(ours, theirs)
    flags = RunFolder(str(second)).recipe()
    assert (flags.init, flags.encoder) == (str(first), tiny.NAME)
    lines.clear()
    pretrain(still, str(second), say=lines.append)
    assert "starts from" not in "\n".join(lines)
