"""Defaults follow the image size, and mistakes are told."""

import dataclasses

import pytest

from simclr_tf.training import Recipe


def test_small_images_get_the_small_recipe_and_others_the_papers():
    small = Recipe().resolved(native_size=32)
    assert (small.image_size, small.blur, small.color_strength) == (32, False, 0.5)
    assert small.encoder == "resnet18x0.25"
    large = Recipe(image_size=224).resolved()
    assert (large.blur, large.color_strength, large.crop_min_area) == (True, 1.0, 0.08)
    assert (large.encoder, large.optimizer, large.head_layers) == (
        "resnet50",
        "lars",
        3,
    )
    assert large.early_epochs == 0


@pytest.mark.parametrize(
    ("native", "size"), [(None, 224), (32, 32), (64, 64), (65, 224), (28, 28)]
)
def test_views_are_as_large_as_small_images_are(native, size):
    assert Recipe().resolved(native_size=native).image_size == size


def test_nothing_is_left_open_but_what_has_no_default():
    open_ends = {
        name
        for name, value in dataclasses.asdict(Recipe().resolved()).items()
        if value is None
    }
    assert open_ends == {"test_dataset", "head_hidden_dim"}


def test_what_is_said_is_kept():
    said = Recipe(
        image_size=32,
        blur=True,
        temperature=0.7,
        early_share=0.0,
        precision="float32",
        warmup_epochs=0.0,
        learning_rate=0.0,
    )
    resolved = said.resolved()
    for name in ("blur", "temperature", "early_share", "precision", "warmup_epochs"):
        assert getattr(resolved, name) == getattr(said, name)
    assert resolved.learning_rate == 0.0
    assert resolved.resolved() == resolved


def test_early_epochs_have_small_views():
    recipe = Recipe(image_size=32, epochs=8, early_share=0.75).resolved()
    sizes = [recipe.view_size(epoch) for epoch in range(8)]
    assert sizes == [20] * 6 + [32] * 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs must be 1 or more, got 0"),
        ({"batch_size": 1}, "batch_size must be 2 or more"),
        ({"crop_min_area": 1.5}, "crop_min_area must be 0 to 1"),
        ({"temperature": -0.1}, "temperature must be above 0"),
        ({"temperature": float("nan")}, "temperature"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"warmup_epochs": 101}, "at most epochs, 100"),
        ({"encoder": "EfficientNetB0", "early_share": 0.5}, "EfficientNetB0"),
    ],
)
def test_a_number_out_of_its_range_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        Recipe(image_size=32, **change).resolved()
