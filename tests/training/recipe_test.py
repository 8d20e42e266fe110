"""Defaults follow the image size, and mistakes are told."""

import dataclasses
import math
import re
import typing

import pytest

from simclr_tf.augmentation import parse_views, registry
from simclr_tf.data import ImageForm
from simclr_tf.errors import UserError
from simclr_tf.training import Recipe, ResolvedRecipe
from simclr_tf.training.flagfile import from_flagfile, to_flagfile

_SMALL = {
    "encoder": "resnet18x0.25",
    "head_layers": 2,
    "views": "crop(0.2)|flip|jitter(0.5)|gray",
    "early_share": 0.75,
    "temperature": 0.2,
    "optimizer": "sgd",
    "learning_rate": 0.7,
    "weight_decay": 5e-4,
    "batch_size": 128,
    "precision": "bfloat16",
}
_LARGE = {
    "encoder": "resnet50",
    "head_layers": 3,
    "views": "crop(0.08)|flip|jitter(1.0)|gray|blur",
    "early_share": 0.0,
    "temperature": 0.1,
    "optimizer": "lars",
    "learning_rate": 0.3,
    "weight_decay": 1e-6,
    "batch_size": 256,
    "precision": "float32",
}


# Nothing to set, where nothing is said.
_OPEN = (
    *("test_dataset", "eval_dataset", "value_range"),
    *("head_hidden_dim", "extend_epochs", "init"),
)


def _help(name):
    return Recipe.__dataclass_fields__[name].metadata["help"]


def test_the_help_of_views_has_each_layer_with_the_numbers_that_it_has_by_itself():
    found = re.findall(r"(\w+)\(([\d., ]+)\)", _help("views"))
    assert {name for name, _ in found} == set(registry._LAYERS)
    for name, numbers in found:
        said, plain = (
            parse_views(f"crop|{layer}" if name != "crop" else layer, 16)[-1]
            for layer in (f"{name}({numbers})", name)
        )
        said, plain = (
            {k: v for k, v in layer.get_config().items() if k != "name"}
            for layer in (said, plain)
        )
        assert said == plain


def test_the_help_of_image_size_has_every_default():
    text = _help("image_size")
    assert (
        "shorter side up to 64; of larger ones 96, or the last multiple of 16" in text
    )
    assert "224 from 76,800 images on" in text
    sizes = [Recipe().resolve(n, images=1000).image_size for n in (64, 65, 90, 97, 500)]
    assert sizes == [64, 64, 80, 96, 96]
    assert Recipe().resolve(500, images=76_800).image_size == 224


@pytest.mark.parametrize(
    ("size", "wanted"), [(8, _SMALL), (32, _SMALL), (33, _LARGE), (224, _LARGE)]
)
def test_defaults_are_small_up_to_32_px_and_the_papers_above(size, wanted):
    resolved = dataclasses.asdict(Recipe(image_size=size).resolve())
    assert {name: resolved[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("native", "size"), [(None, 224), (32, 32), (64, 64), (65, 224), (28, 28)]
)
def test_views_are_as_large_as_small_images_are(native, size):
    assert Recipe().resolve(native_size=native).image_size == size


def test_the_size_asked_for_goes_before_the_images_own():
    resolved = Recipe(image_size=48).resolve(native_size=32)
    assert resolved.image_size == 48
    assert resolved.encoder == "resnet50"


def test_small_views_are_learned_in_bfloat16_where_that_is_fast():
    recipe = Recipe(image_size=32)
    assert recipe.resolve(fast_bfloat16=True).precision == "bfloat16"
    assert recipe.resolve(fast_bfloat16=False).precision == "float32"
    said = Recipe(image_size=32, precision="bfloat16")
    assert said.resolve(fast_bfloat16=False).precision == "bfloat16"


def test_nothing_is_left_open_but_what_has_no_default():
    open_ends = {
        name
        for name, value in dataclasses.asdict(Recipe().resolve()).items()
        if value is None
    }
    assert open_ends == set(_OPEN)


def test_the_types_of_what_is_resolved_say_the_same():
    """`None` is in the types of just those settings that may be None."""
    said = typing.get_type_hints(Recipe)
    resolved = typing.get_type_hints(ResolvedRecipe)
    shortcuts = ("color_strength", "blur", "crop_min_area")  # of "views"
    assert list(resolved) == [name for name in said if name not in shortcuts]
    for name, kind in resolved.items():
        wanted = {*(typing.get_args(said[name]) or (said[name],))}
        if name not in _OPEN:
            wanted -= {type(None)}
        if name == "image_size":
            wanted -= {str}  # A text, such as 96x160, is read.
        assert {*(typing.get_args(kind) or (kind,))} == wanted, name


def test_a_recipe_with_open_settings_is_not_taken_as_resolved():
    with pytest.raises(UserError, match=r"image_size, encoder, .* must be set"):
        ResolvedRecipe.of(Recipe())
    resolved = Recipe().resolve()
    assert ResolvedRecipe.of(Recipe(**dataclasses.asdict(resolved))) == resolved


@pytest.mark.parametrize("size", [32, 224])
def test_what_is_said_is_kept_and_changes_no_other_default(size):
    """Each setting in turn, at a value that is the default of neither size."""
    said = {
        "dataset": "folder:photos",
        "test_dataset": "folder:others",
        "labels": False,
        "pretrain_on_all": True,
        "value_range": "0,4095",
        "encoder": "resnet34",
        "head_layers": 1,
        "head_hidden_dim": 7,
        "head_out_dim": 9,
        "views": "crop(0.5)|jitter(0.2)|jitter(0.3)|solarize(0.1)",
        "early_view_size": 11,
        "early_share": 0.5,
        "temperature": 0.7,
        "optimizer": "adamw",
        "learning_rate": 0.0,
        "learning_rate_scaling": "none",
        "momentum": 0.0,
        "weight_decay": 0.0,
        "batch_size": 2,
        "warmup_epochs": 0.0,
        "precision": "float16",
        "augment_on": "device",
        "steps_per_execution": 3,
        "micro_batches": 2,
        "rematerialize": True,
        "seed": 5,
        "method": "supcon",
        "eval": "",
        "eval_every": 7,
        "eval_dataset": "npz:others",
        "init": "runs/before",
        "extend_epochs": "3,4",
    }
    plain = dataclasses.asdict(Recipe(image_size=size).resolve())
    for name, value in said.items():
        resolved = Recipe(image_size=size, **{name: value}).resolve()
        assert dataclasses.asdict(resolved) == {**plain, name: value}, name
    untried = {field.name for field in dataclasses.fields(Recipe)} - set(said)
    assert untried == {
        *("image_size", "channels", "epochs"),
        *("blur", "color_strength", "crop_min_area"),
    }


@pytest.mark.parametrize(
    ("said", "views"),
    [
        ({"blur": True}, "crop(0.2)|flip|jitter(0.5)|gray|blur"),
        ({"color_strength": 0.0}, "crop(0.2)|flip"),
        (
            {"crop_min_area": 0.3, "color_strength": 2.0},
            "crop(0.3)|flip|jitter(2.0)|gray",
        ),
    ],
)
def test_settings_of_the_papers_recipe_are_views(said, views):
    assert Recipe(image_size=32, **said).resolve().views == views


def test_a_method_that_learns_from_labels_is_not_told_to_do_without():
    with pytest.raises(UserError, match="supcon learns from labels"):
        Recipe(method="supcon", labels=False).resolve()


def test_warm_up_is_a_twentieth_of_the_epochs():
    assert Recipe(epochs=30).resolve().warmup_epochs == 1.5
    assert Recipe(epochs=30, warmup_epochs=4.0).resolve().warmup_epochs == 4.0


def test_early_epochs_have_small_views():
    recipe = Recipe(image_size=32, epochs=8, early_share=0.75).resolve()
    assert recipe.early_epochs == 6
    sizes = [recipe.view_size(epoch) for epoch in range(8)]
    assert sizes == [20] * 6 + [32] * 2


@pytest.mark.parametrize(("share", "early"), [(0.0, 0), (0.5, 4), (1.0, 8)])
def test_early_epochs_are_the_share_asked_for(share, early):
    recipe = Recipe(
        image_size=32, epochs=8, early_share=share, early_view_size=9
    ).resolve()
    sizes = [recipe.view_size(epoch) for epoch in range(8)]
    assert sizes == [9] * early + [32] * (8 - early)


def test_epochs_that_are_added_see_views_of_full_size():
    recipe = Recipe(image_size=32, epochs=8, extend_epochs="2,3").resolve()
    assert recipe.all_epochs == 13
    assert [recipe.view_size(epoch) for epoch in range(13)] == [20] * 6 + [32] * 7


def test_the_last_epoch_has_views_of_full_size():
    whole = Recipe(image_size=32).resolve()
    for epochs in (*range(1, 41), 99, 200):
        for share in (0.0, 0.1, 0.5, 0.75, 0.9, 0.999):
            recipe = dataclasses.replace(
                whole, epochs=epochs, early_share=share, warmup_epochs=0.0
            )
            sizes = [recipe.view_size(epoch) for epoch in range(epochs)]
            assert sizes[-1] == 32, (epochs, share)
            assert sizes == sorted(sizes)
            assert abs(sizes.count(20) - share * epochs) <= max(0.5, share)


@pytest.mark.parametrize("size", [8, 9, 12, 13, 16, 28, 32, 224])
def test_early_views_are_never_too_small_nor_larger_than_late_ones(size):
    early = Recipe(image_size=size).resolve().early_view_size
    assert 8 <= early <= size


def test_encoders_of_one_image_size_have_no_early_views():
    recipe = Recipe(image_size=32, encoder="EfficientNetB0").resolve()
    assert recipe.early_epochs == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": 7}, "image_size must be 8 or more, got 7"),
        ({"head_layers": 4}, "head_layers must be 0 to 3, got 4"),
        ({"head_layers": -1}, "head_layers must be 0 to 3, got -1"),
        ({"head_out_dim": 0}, "head_out_dim must be 1 or more, got 0"),
        ({"color_strength": -0.1}, "color_strength must be 0 or more"),
        ({"crop_min_area": 1.5}, "crop_min_area must be above 0 and at most 1"),
        ({"crop_min_area": 0.0}, r"crop_min_area must be above 0 .*, got 0\.0"),
        ({"views": "flip|crop"}, "views must begin with crop, .*got 'flip'"),
        ({"views": "crop|sharpen"}, "views must be layers of crop, .*got 'sharpen'"),
        ({"views": "crop|jitter(a)"}, r"views: 'jitter\(a\)' must hold numbers"),
        ({"views": "crop|gray(1,2,3)"}, "as many as gray takes"),
        ({"views": "crop|gray(1.5)"}, r"'gray\(1.5\)': probability must lie in"),
        ({"views": "crop|crop"}, "one crop, the first"),
        ({"views": ""}, "got ''"),
        ({"eval": "knn,loss"}, "eval must be names of knn, .*, got 'loss'"),
        ({"eval_every": 0}, "eval_every must be 1 or more"),
        (
            {"eval_dataset": "shapes"},
            "eval_dataset is the dataset that is learned from",
        ),
        ({"eval_dataset": "npz:a", "test_dataset": "npz:b"}, "leave out one"),
        ({"method": "jigsaw", "image_size": 10}, "image_size must be 12 or more"),
        ({"method": "jigsaw", "image_size": 16}, "early_view_size must be 12 or more"),
        ({"method": "jigsaw", "encoder": "EfficientNetB0"}, "takes images of one size"),
        ({"views": "crop", "blur": True}, "views says all .*leave out blur"),
        ({"early_view_size": 7}, "early_view_size must be 8 or more, got 7"),
        ({"early_share": 1.1}, r"early_share must be 0 to 1, got 1\.1"),
        ({"temperature": -0.1}, "temperature must be above 0"),
        ({"temperature": 0.0}, "temperature must be above 0"),
        ({"temperature": math.nan}, "temperature must be a finite number, got nan"),
        ({"temperature": math.inf}, "temperature must be a finite number, got inf"),
        ({"temperature": 1e39}, "temperature must be a finite number"),
        (
            {"color_strength": math.inf},
            "color_strength must be a finite number, got inf",
        ),
        (
            {"color_strength": math.nan},
            "color_strength must be a finite number, got nan",
        ),
        ({"early_share": math.nan}, "early_share must be a finite number, got nan"),
        ({"warmup_epochs": math.nan}, "warmup_epochs must be a finite number, got nan"),
        ({"weight_decay": math.inf}, "weight_decay must be a finite number, got inf"),
        ({"learning_rate": math.inf}, "learning_rate must be a finite number, got inf"),
        ({"momentum": math.nan}, "momentum must be a finite number, got nan"),
        ({"momentum": 1.0}, r"momentum must be 0 or more and below 1, got 1\.0"),
        ({"seed": -1}, "seed must be 0 to 4294967295, got -1"),
        ({"seed": 2**32}, "seed must be 0 to 4294967295, got 4294967296"),
        ({"head_hidden_dim": 0}, "head_hidden_dim must be 1 or more"),
        ({"optimizer": "adam"}, "optimizer must be one of lars, .*, got 'adam'"),
        ({"augment_on": "gpu"}, "augment_on must be one of .*, got 'gpu'"),
        ({"learning_rate": -1.0}, "learning_rate must be 0 or more"),
        ({"learning_rate": math.nan}, "learning_rate must be a finite number, got nan"),
        ({"momentum": 1.1}, "momentum must be 0 or more and below 1"),
        ({"weight_decay": -1e-6}, "weight_decay must be 0 or more"),
        ({"batch_size": 1}, "batch_size must be 2 or more"),
        ({"micro_batches": 0}, "micro_batches must be 1 or more"),
        ({"batch_size": 128, "micro_batches": 3}, "128 must be a multiple of"),
        ({"epochs": 0}, "epochs must be 1 or more"),
        ({"extend_epochs": "0"}, "extend_epochs must be a number of epochs, .*'0'"),
        ({"extend_epochs": "3,"}, "extend_epochs must be a number of epochs, .*'3,'"),
        ({"warmup_epochs": -1.0}, "warmup_epochs must be 0 or more"),
        ({"warmup_epochs": 101.0}, "at most epochs, 100, got 101"),
        ({"encoder": "EfficientNetB0", "early_share": 0.5}, "EfficientNetB0"),
        ({"encoder": "EfficientNetB0", "rematerialize": True}, "is for resnets"),
    ],
)
def test_a_number_out_of_its_range_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**{"image_size": 32, **change}).resolve()


@pytest.mark.parametrize(
    "change",
    [
        {"image_size": 8},
        {"head_layers": 0},
        {"head_layers": 3},
        {"views": "crop(1.0)|flip(1.0)|gray(0.0)"},
        {"early_share": 1.0},
        {"warmup_epochs": 100.0},
        {"batch_size": 2},
        {"epochs": 1},
    ],
)
def test_the_ends_of_a_range_belong_to_it(change):
    resolved = Recipe(**{"image_size": 32, **change}).resolve()
    for name, value in change.items():
        assert getattr(resolved, name) == value


def test_channels_are_the_images_own_and_leave_out_what_is_for_rgb():
    assert Recipe().resolve().channels == 3
    four = Recipe(image_size=96).resolve(native_channels=4)
    assert (four.channels, four.views) == (4, "crop(0.08)|flip|jitter(1.0)|blur")
    assert Recipe(channels=1).resolve(native_channels=3).form == ImageForm(1)
    with pytest.raises(UserError, match="gray is for RGB images"):
        Recipe(views="crop|gray").resolve(native_channels=2)
    with pytest.raises(UserError, match="second above the first"):
        Recipe(value_range="4095")


def test_views_may_be_rectangles():
    for said in ("32x48", (32, 48)):
        resolved = Recipe(image_size=said, early_share=0.5, epochs=2).resolve()
        assert resolved.image_size == (32, 48)
        assert resolved.encoder == "resnet18x0.25"  # By the shorter side.
        assert [resolved.view_size(epoch) for epoch in (0, 1)] == [(20, 30), (32, 48)]
        assert from_flagfile(to_flagfile(resolved), "flags.txt") == resolved
    with pytest.raises(UserError, match="multiple of 16 for vit_tiny16, got 32x40"):
        Recipe(image_size=(32, 40), encoder="vit_tiny16").resolve()
    with pytest.raises(UserError, match="must be a square for method rotation"):
        Recipe(image_size=(32, 40), method="rotation").resolve()
    with pytest.raises(UserError, match="quarter turns are for square views"):
        Recipe(image_size=(32, 40), views="crop|turn").resolve()
