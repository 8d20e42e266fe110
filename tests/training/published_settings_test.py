"""The papers' settings of fine-tuning and distillation, as flag files."""

import pathlib

import pytest

from simclr_tf.cli import recipe_flags
from simclr_tf.cli.commands import COMMANDS
from simclr_tf.optimizer import scaled_learning_rate
from simclr_tf.training import Distillation, FineTuning

_FOLDER = pathlib.Path(__file__).parents[2] / "experiments" / "imagenet" / "labels"
_IMAGENET = 1_281_167


def _rate(settings):
    scaling = settings.learning_rate_scaling
    return scaled_learning_rate(settings.learning_rate, settings.batch_size, scaling)


@pytest.mark.parametrize(
    ("name", "rate", "epochs", "images"),
    [
        ("v1_1", 0.8, 60, 12_811),
        ("v1_10", 0.8, 30, 128_116),
        ("v1_100", 0.8, 30, _IMAGENET),
        ("v2_1", 0.16, 60, 12_811),
        ("v2_10", 0.16, 30, 128_116),
        ("v2_100", 0.16, 30, _IMAGENET),
        ("v2_large_1", 0.064, 60, 12_811),
        ("v2_large_10", 0.064, 30, 128_116),
        ("v2_large_100", 0.064, 30, _IMAGENET),
    ],
)
def test_of_fine_tuning(name, rate, epochs, images):
    start = ["--init=runs/a", "--dataset=tfds:imagenet2012", "--encoder=resnet152x3-sk"]
    path = _FOLDER / f"finetune_{name}.txt"
    values = COMMANDS["finetune"].parse([f"--flagfile={path}", *start])
    settings = recipe_flags.settings(values, FineTuning).resolve(images, replicas=32)
    assert _rate(settings) == pytest.approx(rate)
    assert settings.epochs == epochs
    assert (settings.weight_decay, settings.warmup_epochs) == (0.0, 0.0)
    kept = 1 if name.startswith("v2") and not name.endswith("_100") else 0
    assert settings.head_layers_kept == kept


@pytest.mark.parametrize(("name", "temperature"), [("self", 0.1), ("smaller", 1.0)])
def test_of_distillation(name, temperature):
    teacher = ["--teacher=runs/a", "--encoder=resnet50"]
    path = _FOLDER / f"distill_v2_{name}.txt"
    values = COMMANDS["distill"].parse([f"--flagfile={path}", *teacher])
    said = recipe_flags.settings(values, Distillation)
    assert said.temperature == temperature
    assert said.label_weight == 0.0
    assert said.epochs == 400
    assert _rate(said) == pytest.approx(6.4)
