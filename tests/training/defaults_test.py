"""Defaults follow the number of images and their size."""

import dataclasses

import pytest

from simclr_tf.errors import UserError
from simclr_tf.training import Recipe, defaults
from simclr_tf.training.announcement import choices

# What experiments/caltech101 sets, and the crops and blur that it leaves open.
_CALTECH101 = {
    "encoder": "resnet18x0.5",
    "head_layers": 2,
    "views": "crop(0.08)|flip|jitter(0.5)|gray|blur",
    "early_share": 0.0,
    "temperature": 0.2,
    "optimizer": "sgd",
    "learning_rate": 0.7,
    "weight_decay": 5e-4,
    "batch_size": 64,
    "epochs": 100,
    "precision": "bfloat16",
}


def _resolve(size, images, **said):
    options = {
        name: said.pop(name) for name in ("replicas", "fast_bfloat16") if name in said
    }
    return Recipe(image_size=size, **said).resolve(images=images, **options)


def _values(resolved, names):
    return {name: getattr(resolved, name) for name in names}


@pytest.mark.parametrize("size", [64, 96, 224])
def test_photographs_are_learned_from_as_in_the_experiment_on_them(size):
    assert _values(_resolve(size, 927), _CALTECH101) == _CALTECH101
    slow = _resolve(size, 927, fast_bfloat16=False)
    assert slow == dataclasses.replace(_resolve(size, 927), precision="float32")


@pytest.mark.parametrize("size", [20, 32])
def test_ten_thousand_small_images_have_the_defaults_of_always(size):
    """Those of experiments/cifar10 and the quickstart."""
    assert _resolve(size, 10_000) == Recipe(image_size=size).resolve()


def test_the_papers_settings_are_for_as_many_images_as_they_need():
    many = _resolve(224, defaults.ENOUGH_FOR_PAPER)
    assert many == Recipe(image_size=224).resolve()
    assert many.optimizer == "lars"
    assert defaults.ENOUGH_FOR_PAPER // many.batch_size == 300
    fewer = _resolve(224, defaults.ENOUGH_FOR_PAPER - 1)
    assert (fewer.optimizer, fewer.batch_size) == ("sgd", 128)


def test_no_batch_is_more_than_an_eighth_nor_leaves_out_more():
    for images in range(defaults.LEAST_IMAGES, 3000):
        for wanted in (64, 128):
            batch = defaults.batch_size(images, wanted)
            assert 4 <= batch <= min(images / 8, wanted), images
            assert batch >= min(images // 8, wanted) / 2, images
            assert images % batch < 0.13 * images, images


@pytest.mark.parametrize(("images", "batch"), [(927, 64), (589, 64), (767, 56)])
def test_a_batch_leaves_out_few_images(images, batch):
    """Of 767 images 64 would leave out 63."""
    assert defaults.batch_size(images, 64) == batch


@pytest.mark.parametrize("images", [64, 100, 589, 5000, 10**6])
def test_replicas_come_to_one_batch_that_they_share(images):
    assert len({defaults.batch_size(images, 128, n) for n in (1, 2, 4, 8)}) == 1
    for parts in (3, 6, 48, 128):
        assert defaults.batch_size(images, 128, parts) % parts == 0
    resolved = _resolve(96, images, replicas=3, micro_batches=2)
    assert resolved.batch_size % 6 == 0


def test_epochs_are_as_many_as_enough_steps_take():
    for images in (defaults.LEAST_IMAGES, 100, 589, 900, 5000):
        resolved = _resolve(96, images)
        steps = images // resolved.batch_size
        assert resolved.epochs >= 100
        assert resolved.epochs * steps >= defaults.LEAST_STEPS
        # No more than that takes.
        assert resolved.epochs == 100 or (resolved.epochs - 1) * steps < 1400
        assert resolved.warmup_epochs == resolved.epochs / 20
    assert _resolve(96, 589, batch_size=16).epochs == 100
    assert _resolve(96, 589, epochs=3).epochs == 3


def test_too_few_images_are_refused():
    defaults.require_enough_images(defaults.LEAST_IMAGES, "folder:photos")
    with pytest.raises(
        UserError, match=r"folder:photos holds 31 images .*--batch_size"
    ):
        defaults.require_enough_images(defaults.LEAST_IMAGES - 1, "folder:photos")


def test_three_lines_say_what_was_chosen_and_why():
    said = Recipe(image_size=64)
    optimizer, batch, epochs = choices(said, said.resolve(images=589), 589)
    assert "optimizer sgd" in optimizer
    assert "for fewer than 76,800 images, as in experiments/caltech101" in optimizer
    assert "batch_size 64, at most an eighth of 589 images" in batch
    assert "9 steps and leaves out 13 images" in batch
    assert "epochs 156, 1,404 steps: so that 1,400 steps or more" in epochs


def test_what_was_said_is_not_told_as_chosen():
    said = Recipe(image_size=64, batch_size=32, optimizer="adamw", epochs=5)
    (line,) = choices(said, said.resolve(images=589), 589)
    assert "adamw" not in line
    assert "temperature 0.2" in line
    whole = Recipe(**dataclasses.asdict(said.resolve(images=589)))
    assert choices(whole, whole.resolve(images=589), 589) == []


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"epochs": 7},
        {"blur": False},
        {"color_strength": 0.0, "crop_min_area": 0.3},
        {"views": "crop|turn"},
    ],
)
def test_what_is_left_open_is_as_in_the_run_that_is_resumed(said):
    """Begun with other defaults: those for many images, on another machine."""
    recipe = Recipe(image_size=64, **said)
    run = recipe.resolve(fast_bfloat16=False)
    again = recipe.completed_by(run).resolve(images=589, replicas=2)
    assert again == run
    assert recipe.resolve(images=589) != run


def test_what_is_said_of_a_run_that_is_resumed_goes_before():
    run = Recipe(image_size=64, test_dataset="npz:a").resolve()
    recipe = Recipe(image_size=64, batch_size=8, blur=False, eval_dataset="npz:b")
    again = recipe.completed_by(run).resolve(images=589)
    assert (again.batch_size, again.learning_rate) == (8, run.learning_rate)
    assert again.views == run.views.replace("|blur", "")
    assert (again.test_dataset, again.eval_dataset) == (None, "npz:b")
