"""A run says, and result.json too, what the figures were measured on."""

import dataclasses
import types

import numpy as np
import pytest

from simclr_tf.data import load_for_pretraining
from simclr_tf.evaluators import Monitor
from simclr_tf.training import Recipe, RunFolder, build_model
from simclr_tf.training.announcement import announce
from simclr_tf.training.judge import Judge
from simclr_tf.training.result import write_result
from tests import tiny


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "images.npz"
    images = np.zeros([40, 8, 8, 3], np.uint8)
    np.savez(path, x_train=images, y_train=np.arange(40) % 2)
    recipe = Recipe(
        dataset=f"npz:{path}", image_size=8, encoder=tiny.NAME, head_layers=1
    )
    return recipe.resolve()


@pytest.fixture(scope="module")
def model(recipe):
    return build_model(recipe)


@pytest.mark.parametrize(
    ("settings", "held_out", "on_all"),
    [
        ({}, 8, False),
        ({"pretrain_on_all": True}, 8, True),
        ({"labels": False}, 0, False),
        ({"labels": False, "pretrain_on_all": True}, 0, False),
    ],
)
def test_images_held_out_and_whether_they_were_learned_from(
    recipe, model, tmp_path, settings, held_out, on_all
):
    recipe = dataclasses.replace(recipe, **settings)
    data = load_for_pretraining(
        recipe.dataset,
        image_size=8,
        labels=recipe.labels,
        pretrain_on_all=recipe.pretrain_on_all,
    )
    run = RunFolder(str(tmp_path))
    run.append_metrics({"step": 4, "epoch": 1, "loss": 1.0})
    judge = Judge(
        recipe, run, data, model, Monitor([], None, data.train, 8, None), True
    )
    settings = {"steps": 4, "seconds": 1.0, "say": lambda line: None}
    write_result(run, recipe, data, model, judge, **settings)
    found = run.read_result()
    assert (found["held_out"], found["pretrained_on_all"]) == (held_out, on_all)
    lines = []
    calendar = types.SimpleNamespace(steps_per_epoch=4)
    begun = types.SimpleNamespace(step=4, calendar=calendar)
    announce(recipe, recipe, data, model, begun, fast_bfloat16=True, say=lines.append)
    said = "\n".join(lines)
    assert ("8 of 40, is held out to measure on" in said) is (
        held_out > 0 and not on_all
    )
    assert ("Learning from all images, also from the 8 of 40" in said) is on_all
    assert len(data.train) == 40 - held_out * (not on_all)
