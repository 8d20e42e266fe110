"""A recipe is fitted to a time by a clock that trials move."""

import dataclasses
import os

import pytest
import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.training import Recipe, RunFolder, pretrain
from simclr_tf.training.fit_to_time import Budget, fit_to_time
from simclr_tf.training.time_budget import Rung
from tests import tiny


class _Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class _Images:
    """Of which only the number is asked."""

    def __init__(self, count):
        self.count = count

    def for_views(self, recipe):
        return recipe.image_size


def _trial(slowness):
    """A trial on a machine of some slowness, whose steps move the clock."""

    made = []

    class Trial:
        def __init__(self, recipe, data, strategy, seconds, clock):
            assert data == recipe.image_size
            self.recipe, self.clock = recipe, clock
            self.built, self.started = 3.0, 25.0
            clock.now += self.built
            made.append((recipe.encoder, recipe.image_size))

        def step(self, size):
            self.clock.now += self.started + 8.0
            work = Rung(self.recipe.encoder, self.recipe.image_size).work
            small = (size / self.recipe.image_size) ** 1.5
            return slowness * work**0.8 * small

        def evaluation(self):
            self.clock.now += 12.0
            return 9.0, 3.0

        def save(self):
            return 0.3

    return Trial, made


def _fit(recipe, *, minutes, count, native, slowness):
    clock, lines = _Clock(), []
    trial, made = _trial(slowness)
    chosen = fit_to_time(
        recipe,
        Budget(minutes, 0.0, clock),
        _Images(count),
        native,
        tf.distribute.get_strategy(),
        resolve=lambda recipe: recipe.resolve(native, images=count),
        say=lines.append,
        trial=trial,
    )
    return chosen, made, clock.now, "\n".join(lines)


def test_photographs_get_larger_views_and_encoders_from_more_time():
    works = []
    for minutes in (2, 5, 12, 40, 300):
        chosen, made, spent, said = _fit(
            Recipe(), minutes=minutes, count=927, native=200, slowness=4e-4
        )
        works.append(Rung(chosen.encoder, chosen.image_size).work)
        assert len(made) <= 3
        resolved = chosen.resolve(200, images=927)
        assert resolved.batch_size == 64
        if minutes >= 12:
            assert resolved.epochs * 14 >= 1400
            assert spent < 0.3 * 60 * minutes
        assert f"Chosen for {minutes} minutes: epochs {resolved.epochs}" in said
    assert works == sorted(works)
    assert works[0] < works[-1]


def test_small_images_keep_early_views_and_what_is_said_is_kept():
    chosen, _, _, said = _fit(
        Recipe(eval_every=2), minutes=12, count=10_000, native=32, slowness=1e-4
    )
    resolved = chosen.resolve(32, images=10_000)
    assert resolved.image_size == 32
    assert resolved.early_share == pytest.approx(0.75, abs=0.11)
    assert resolved.view_size(resolved.epochs - 1) == 32
    assert resolved.eval_every == 2
    assert "s on views of 20 px" in said

    said_all = Recipe(
        encoder=tiny.NAME, image_size=24, early_share=0.5, batch_size=32, seed=3
    )
    chosen, made, _, _ = _fit(said_all, minutes=3, count=927, native=32, slowness=1e-4)
    assert made == [(tiny.NAME, 24)]
    kept = dataclasses.replace(chosen, epochs=None, eval_every=None)
    assert kept == said_all


def test_little_time_is_not_spent_on_measuring():
    """The first measurement takes 36 s of 60; the choice follows from it."""
    chosen, made, spent, said = _fit(
        Recipe(), minutes=1.5, count=927, native=200, slowness=2e-3
    )
    assert made == [("resnet18x0.5", 64)]
    assert (chosen.encoder, chosen.image_size) == ("resnet18x0.25", 64)
    assert spent < 60
    assert "the cheapest, and the time is short" in said


def test_a_time_that_is_too_short_for_one_epoch_is_refused():
    with pytest.raises(UserError, match=r"minutes=2 is too little for one pass over"):
        _fit(Recipe(), minutes=2, count=500_000, native=200, slowness=1e-3)


@pytest.mark.parametrize(
    ("minutes", "recipe", "told"),
    [
        (0, Recipe(), "minutes must be above 0, got 0"),
        (5, Recipe(epochs=3), "minutes chooses the epochs"),
    ],
)
def test_mistakes_are_told(minutes, recipe, told):
    with pytest.raises(UserError, match=told):
        _fit(recipe, minutes=minutes, count=927, native=200, slowness=1e-4)


@pytest.mark.exhaustive
def test_a_run_of_a_minute_ends_in_time_and_its_flags_repeat_it(tmp_path):
    if os.getloadavg()[0] > (os.cpu_count() or 1):
        pytest.skip("others have the cores: speeds are not what they were measured")
    recipe = Recipe(
        dataset="shapes:500",
        image_size=16,
        encoder=tiny.NAME,
        head_layers=1,
        color_strength=0.0,
        eval="knn",
        precision="float32",
    )
    lines = []
    run = RunFolder(str(tmp_path / "run"))
    result = pretrain(recipe, run.path, minutes=1, say=lines.append)
    assert result["seconds"] == pytest.approx(60, rel=0.1)
    assert result["metrics"]["learning_rate"] < 1e-3 * 0.7
    flags = run.recipe()
    assert flags.epochs == result["epochs"]
    again = pretrain(recipe, run.path, minutes=1, say=lines.append)
    assert again == result
    # As long again: the epochs that the flags say.
    said = Recipe(**dataclasses.asdict(flags))
    repeated = pretrain(said, str(tmp_path / "again"), say=lines.append)
    for name in ("loss", "knn_accuracy", "weight_norm"):
        assert repeated["metrics"][name] == result["metrics"][name]
