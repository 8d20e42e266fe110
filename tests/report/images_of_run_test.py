"""A report says of each image whether the run learned from it, as the run did."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.report import sample
from simclr_tf.report.images_of_run import images_of_run
from simclr_tf.training import Distillation, FineTuning, Recipe, RunFolder
from tests import tiny
from tests.training.made_classifiers import make_classifier

_NAMES = ["cat", "dog"]


@pytest.fixture
def images(tmp_path):
    """Writes 20 images of two classes, or of none, and perhaps 6 to test on."""

    def write(name, labels=True, test=False):
        draw = np.random.default_rng(len(name))
        arrays = {"x_train": draw.integers(0, 256, [20, 16, 16, 3], np.uint8)}
        if labels:
            arrays |= {"y_train": np.arange(20) % 2, "classes": np.array(_NAMES)}
        if test:
            tested = draw.integers(0, 256, [6, 16, 16, 3], np.uint8)
            arrays |= {"x_test": tested, "y_test": np.arange(6) % 2}
        np.savez(tmp_path / f"{name}.npz", **arrays)
        return f"npz:{tmp_path / name}.npz"

    return write


def _tuned(path, dataset, **said):
    settings = {"dataset": dataset, "from_scratch": "init" not in said, **said}
    return make_classifier(path, FineTuning(**settings), _NAMES)


def _taught(path, teacher, dataset, **said):
    settings = Distillation(teacher=teacher, dataset=dataset, **said)
    return make_classifier(path, settings, _NAMES)


def _pixels(source):
    batches = source.read(tf.data.Dataset.range(len(source)).batch(20))
    return {image.numpy().tobytes() for batch in batches for image in batch["image"]}


def _held_out_and_learned(run):
    """How many images are held out; and how many are learned from, none of both."""
    found = images_of_run(RunFolder(run))
    (train, seen), *others = found.sources
    assert not seen
    held_out = [source for source, held_out in others if held_out]
    for each in held_out:
        assert not _pixels(each) & _pixels(train)
    return sum(map(len, held_out)), len(train)


def test_a_fifth_is_held_out_where_there_is_no_test_split(images, tmp_path):
    run = _tuned(tmp_path / "run", images("own"))
    assert _held_out_and_learned(run) == (4, 16)
    run = _tuned(tmp_path / "few", images("own"), train_labels="2-per-class")
    assert _held_out_and_learned(run) == (4, 4)
    run = _taught(tmp_path / "student", run, images("own"))
    assert _held_out_and_learned(run) == (4, 16)
    run = _tuned(tmp_path / "tested", images("tested", test=True))
    assert _held_out_and_learned(run) == (6, 20)


def test_a_student_of_other_images_holds_none_of_them_out(
    images, tmp_path, monkeypatch
):
    """It learns from all, and is measured on its teacher's test images."""
    monkeypatch.setattr(sample, "_views", lambda *_: None)  # Drawn elsewhere.
    teacher = _tuned(tmp_path / "teacher", images("own"))
    run = _taught(tmp_path / "labelled", teacher, images("others"))
    assert _held_out_and_learned(run) == (4, 20)
    run = _taught(tmp_path / "student", teacher, images("unlabelled", labels=False))
    assert _held_out_and_learned(run) == (4, 20)
    found = sample.take_sample(RunFolder(run), images=24, seconds=60.0, say=print)
    assert found.held_out.sum() == 4
    assert (found.labels[found.held_out] >= 0).all()
    assert (found.labels[~found.held_out] == -1).all()
    assert found.classes == _NAMES
    again = _taught(tmp_path / "again", run, images("own"))
    assert _held_out_and_learned(again) == (4, 16)


def test_what_the_start_has_learned_from_is_not_held_out(images, tmp_path):
    start = RunFolder(str(tmp_path / "start"))
    recipe = Recipe(dataset=images("own"), labels=False, encoder=tiny.NAME)
    start.start(recipe.resolve(16, images=20, native_channels=3))
    run = _tuned(tmp_path / "run", images("own"), init=start.path)
    found = images_of_run(RunFolder(run))
    assert (len(found.others), found.held_out) == (4, False)
    assert "No image is held out" in found.note
    student = _taught(tmp_path / "student", run, images("own"))
    assert not images_of_run(RunFolder(student)).held_out
    other = _taught(tmp_path / "other", run, images("tested", test=True))
    tested = images_of_run(RunFolder(other))
    assert (len(tested.others), tested.held_out) == (4, False)


def test_the_same_images_to_learn_and_to_test_are_not_held_out(images, tmp_path):
    dataset = images("own")
    run = _tuned(tmp_path / "run", dataset, test_dataset=dataset)
    assert _held_out_and_learned(run) == (0, 20)
    assert "No image is held out" in images_of_run(RunFolder(run)).note


def test_without_its_teacher_a_student_is_known_to_hold_nothing_out(images, tmp_path):
    teacher = _tuned(tmp_path / "teacher", images("own"))
    run = _taught(tmp_path / "student", teacher, images("others"))
    shutil.rmtree(teacher)
    assert _held_out_and_learned(run) == (0, 20)
    assert "the teacher is gone" in images_of_run(RunFolder(run)).note
