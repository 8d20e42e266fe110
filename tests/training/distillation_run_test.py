"""A distillation from a teacher's run to a student's, and what ends it on the way."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.training import (
    Distillation,
    FineTuning,
    Stopped,
    distill,
    finetune,
)
from tests import tiny
from tests.training.cut_short import without_export
from tests.training.ended_runs import after, assert_same_state, rows_of, send_sigterm

pytestmark = pytest.mark.slow

_STEPS = 3  # an epoch


def _quiet(line):
    """Says nothing."""


def _images(count, seed):
    """Of two classes that a glance tells apart: dark and bright noise."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images = generator.integers(0, 128, [count, 16, 16, 3])
    return (images + 127 * labels[:, None, None, None]).astype(np.uint8), labels


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "images.npz"
    images, labels = _images(8 * _STEPS, 0)
    test, test_labels = _images(16, 1)
    names = np.array(["night", "day"])
    np.savez(
        path,
        x_train=images,
        y_train=labels,
        x_test=test,
        y_test=test_labels,
        classes=names,
    )
    return f"npz:{path}"


@pytest.fixture(scope="module")
def teacher(dataset, tmp_path_factory):
    """A run of finetune that has learned night from day."""
    run = tmp_path_factory.mktemp("teacher") / "run"
    settings = FineTuning(
        from_scratch=True,
        dataset=dataset,
        encoder=tiny.NAME,
        image_size=16,
        train_labels="6-per-class",
        batch_size=6,
        epochs=20,
        eval_every=10,
        learning_rate=4.0,
        views="crop(0.9)|flip",
    )
    with without_export():
        result = finetune(settings, str(run), say=_quiet)
    assert result["top1"] > 0.9
    return run


@pytest.fixture(scope="module")
def settings(teacher):
    return Distillation(
        teacher=str(teacher),
        temperature=1.0,
        label_weight=0.25,
        batch_size=8,
        epochs=15,
        learning_rate=4.0,
        weight_decay=0.0,
        eval_every=5,
        views="crop(0.9)|flip",
    )


def _train(settings, run, **options):
    lines = []
    result = distill(settings, str(run), **{"say": lines.append, **options})
    return result, "\n".join(lines)


@pytest.fixture(scope="module")
def whole(settings, tmp_path_factory):
    """A run that nothing ended, its result, and what it said."""
    run = tmp_path_factory.mktemp("whole") / "run"
    return run, *_train(settings, run)


def test_the_student_learns_what_the_teacher_knows(whole, teacher):
    run, result, said = whole
    assert result == json.loads((run / "result.json").read_text())
    assert result["labels_used"] == 12
    assert result["images_used"] == 8 * _STEPS
    assert result["classes"] == ["night", "day"]
    assert (
        result["teacher_top1"]
        == json.loads((teacher / "result.json").read_text())["top1"]
    )
    assert result["top1"] > 0.9
    assert {"top5", "mean_per_class", "standard_error", "confusion"} <= set(result)
    assert "temperature 1, weight of labels 0.25" in said
    assert "12 of 24, 6 of each class" in said
    loaded = tf.saved_model.load(str(run / "classifier"))
    images, labels = _images(16, 1)
    answers = loaded.signatures["serving_uint8"](images=tf.constant(images))
    guessed = np.argmax(answers["probabilities"], axis=1)
    assert np.mean(guessed == labels) == pytest.approx(result["top1"])


@pytest.mark.exhaustive  # As a fine-tuning does, see finetune_test.
def test_stopped_by_a_signal_it_ends_as_if_it_never_had_been(whole, settings, tmp_path):
    run = tmp_path / "run"
    with after(5, send_sigterm), pytest.raises(Stopped, match="after step 5 of 45"):
        _train(settings, run)
    with without_export():
        result, said = _train(settings, run)
    assert "Resuming after step 5." in said
    assert rows_of(run) == rows_of(whole[0])
    assert_same_state(run, whole[0])
    assert result["top1"] == whole[1]["top1"]
    again, said = _train(settings, run)
    assert again == result
    assert "All 45 steps were taken before" in said


@pytest.mark.exhaustive
def test_a_student_teaches_on_images_without_labels(whole, tmp_path):
    """Of another size, on one device's micro-batches, and of no label."""
    images, _ = _images(16, 2)
    np.savez(tmp_path / "more.npz", images=images)
    settings = Distillation(
        teacher=str(whole[0]),
        dataset=f"npz:{tmp_path}/more.npz",
        encoder=tiny.DROPOUT_NAME,
        image_size=12,
        batch_size=8,
        micro_batches=2,
        epochs=1,
    )
    with without_export():
        result, said = _train(settings, tmp_path / "run")
    assert result["labels_used"] == 0
    assert result["images"] == 16
    assert "16 images without labels teach." in said
    assert "temperature 1, weight of labels 0" in said


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"teacher": None}, "Name the teacher, a run of simclr finetune"),
        ({"teacher": "nowhere"}, "nowhere holds no run"),
        ({"channels": 1}, "channels must be the teacher's, 3, got 1"),
        ({"temperature": 0.0}, "temperature must be above 0"),
        ({"batch_size": 100}, "choose a batch of at most that many"),
        ({"init": "nowhere"}, "nowhere is neither a run folder"),
    ],
)
def test_mistakes_are_told_before_a_run_begins(settings, tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        _train(dataclasses.replace(settings, **changes), tmp_path / "run")
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_the_weight_of_labels_is_below_one():
    with pytest.raises(UserError, match="label_weight must be 0 or more and below 1"):
        Distillation(label_weight=1.0)


def test_the_temperature_is_lower_where_a_student_is_like_its_teacher():
    said = Distillation(teacher="a", dataset="shapes", image_size=32, encoder=tiny.NAME)
    said = dataclasses.replace(said, train_labels="all")
    assert said.resolve(100, of_itself=True).temperature == 0.1
    assert said.resolve(100).temperature == 1.0
