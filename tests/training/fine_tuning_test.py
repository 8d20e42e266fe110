"""Settings of a fine-tuning: defaults by the number of labels, and what fits."""

import dataclasses

import pytest

from simclr_tf.errors import UserError
from simclr_tf.training.fine_tuning import FINETUNING, FineTuning
from simclr_tf.training.flagfile import from_flagfile, to_flagfile
from simclr_tf.training.run_files import RunFolderError

_SAID = FineTuning(
    init="runs/a", dataset="shapes", image_size=32, encoder="resnet18x0.25"
)


@pytest.mark.parametrize("images", [3, 10, 80, 1000, 50_000])
def test_enough_steps_are_taken_and_lines_are_few(images):
    settings = _SAID.resolve(images)
    assert 2 <= settings.batch_size <= 128
    steps = max(images // settings.batch_size, 1)
    assert settings.epochs * steps >= 600
    assert settings.epochs >= 30
    assert 15 <= settings.epochs / settings.noted_every <= 60
    assert settings.eval_every == settings.noted_every


def test_replicas_and_micro_batches_divide_a_chosen_batch():
    said = dataclasses.replace(_SAID, micro_batches=3)
    assert said.resolve(100, replicas=2).batch_size % 6 == 0


def test_what_starts_anew_takes_longer_and_higher_rates():
    fine = _SAID.resolve(100)
    anew = dataclasses.replace(_SAID, from_scratch=True).resolve(100)
    assert anew.epochs == 3 * fine.epochs
    assert anew.learning_rate > fine.learning_rate
    assert (fine.weight_decay, fine.views) == (0.0, "crop(0.2)|flip")
    large = dataclasses.replace(_SAID, image_size=224).resolve(100)
    assert large.views == "crop(0.08)|flip"


def test_many_labels_are_learned_from_as_from_scratch():
    anew = dataclasses.replace(_SAID, from_scratch=True)
    for many in (2_000, 50_000):
        learned = dataclasses.replace(_SAID.resolve(many), from_scratch=True)
        assert learned == anew.resolve(many)
    few = _SAID.resolve(1_999)
    assert (few.learning_rate, few.weight_decay, few.epochs) == (0.05, 0.0, 40)


def test_guesses_do_not_make_few_labels_many():
    few = _SAID.resolve(3_600, guessed=2_600)
    assert (few.learning_rate, few.weight_decay, few.epochs) == (0.05, 0.0, 30)
    assert _SAID.resolve(4_600, guessed=2_600).learning_rate == 0.4


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"train_labels": "2"}, "train_labels must be all"),
        ({"fine_tune_after_block": 5}, "fine_tune_after_block must be -1 to 4, got 5"),
        ({"head_layers_kept": 4}, "head_layers_kept must be 0 to 3, got 4"),
        ({"from_scratch": True, "head_layers_kept": 1}, "must be 0 with from_scratch"),
        (
            {"from_scratch": True, "fine_tune_after_block": 2},
            "must be -1 with from_scratch",
        ),
        ({"batch_size": 10, "micro_batches": 3}, "must be a multiple of micro_batches"),
        ({"epochs": 2, "warmup_epochs": 3.0}, "warmup_epochs must be at most epochs"),
        ({"views": "flip"}, "views must begin with crop"),
        ({"encoder": "vit_tiny16", "image_size": 40}, "must be a multiple of 16"),
    ],
)
def test_what_does_not_fit_is_told(settings, told):
    with pytest.raises(UserError, match=told):
        dataclasses.replace(_SAID, **settings).resolve(100)


def test_a_run_folder_tells_them_from_those_of_pretraining():
    settings = _SAID.resolve(100)
    text = to_flagfile(settings, FINETUNING)
    assert from_flagfile(text, "flags.txt", FINETUNING) == settings
    with pytest.raises(RunFolderError, match="a run of simclr finetune, where one"):
        from_flagfile(text, "flags.txt")


def test_a_begun_run_completes_what_is_left_open():
    begun = dataclasses.replace(_SAID, epochs=7, learning_rate=0.3).resolve(100)
    said = dataclasses.replace(_SAID, dataset=None, image_size=None)
    assert said.completed_by(begun).resolve(90) == begun
