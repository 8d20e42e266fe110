"""Confident guesses join the labels, balanced; a stopped round goes on."""

import json
import signal

import numpy as np
import pytest

from simclr_tf.errors import UserError
from simclr_tf.progress import Progress
from simclr_tf.training import FineTuning, Stopped, finetune
from simclr_tf.training.pseudo_labels import confident_guesses
from tests import tiny
from tests.training.cut_short import without_export


def _probabilities(guesses, sureties, classes):
    rest = (1.0 - np.array(sureties)) / (classes - 1)
    found = np.repeat(rest[:, None], classes, axis=1)
    found[np.arange(len(guesses)), guesses] = sureties
    return found


def test_the_surest_of_each_class_are_taken_and_none_has_more_than_the_middle_one():
    guesses = [0, 0, 0, 0, 1, 1, 2, 1]
    sureties = [0.92, 0.99, 0.95, 0.97, 0.91, 0.96, 0.94, 0.5]
    truth = np.array([0, 9, 0, 9, 1, 9, 0, 9, 1, 9, 0, 9, 2, 9, 1])
    found = confident_guesses(
        _probabilities(guesses, sureties, 3), np.arange(0, 16, 2), 0.9, truth
    )
    # Of four, two and one: two of the first class, the surest.
    assert found.places == [2, 6, 8, 10, 12]
    assert found.labels == [0, 0, 1, 1, 2]
    assert (found.asked, found.confident, found.right) == (8, 7, 4)
    note = found.note(["cat", "dog", "owl"])
    assert "of 8 images without labels 7 are guessed with confidence, 5" in note
    assert "cat 2, dog 2, owl 1" in note
    assert "0.8000" in note


def test_truth_that_is_not_known_is_not_counted():
    probabilities = _probabilities([0, 1], [0.99, 0.99], 2)
    for truth in (None, np.array([0, -1])):
        assert confident_guesses(probabilities, np.arange(2), 0.9, truth).right is None
    nothing = confident_guesses(probabilities, np.arange(2), 1.0, None)
    assert nothing.places == []
    assert "cat 0, dog 0" in nothing.note(["cat", "dog"])


def _images(count, seed):
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images = generator.integers(0, 128, [count, 16, 16, 3])
    return (images + 127 * labels[:, None, None, None]).astype(np.uint8), labels


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "images.npz"
    images, labels = _images(40, 0)
    test, test_labels = _images(16, 1)
    arrays = {"x_train": images, "y_train": labels, "x_test": test}
    np.savez(path, **arrays, y_test=test_labels)
    return FineTuning(
        from_scratch=True,
        dataset=f"npz:{path}",
        encoder=tiny.NAME,
        image_size=16,
        train_labels="4-per-class",
        batch_size=8,
        epochs=20,
        eval_every=10,
        learning_rate=4.0,
        views="crop(0.9)|flip",
        pseudo_label_rounds=1,
        pseudo_label_threshold=0.6,
    )


@pytest.mark.slow
def test_a_round_is_stopped_and_goes_on(settings, tmp_path):
    run, lines = tmp_path / "run", []
    left = iter(range(22, -1, -1))  # Three steps of the second run.

    def due(self):
        if next(left, None) == 0:
            signal.raise_signal(signal.SIGTERM)
        return False

    with pytest.MonkeyPatch.context() as patch, without_export():
        patch.setattr(Progress, "due", due)
        with pytest.raises(Stopped, match="after step 3 of"):
            finetune(settings, str(run), say=lines.append)
    assert not (run / "result.json").exists()
    with without_export():
        result = finetune(settings, str(run), say=lines.append)
    assert "Resuming after step 3." in "\n".join(lines)
    kept = json.loads((tmp_path / "run.round0" / "pseudo_labels.json").read_text())
    assert result["pseudo_labels"] == [
        {"asked": 32, "confident": kept["confident"], "used": len(kept["labels"])}
        | {"right": kept["right"]}
    ]
    assert kept["labels"].count(0) > 8
    assert kept["right"] > 0.9 * len(kept["labels"])
    assert result["labels_used"] == 8
    assert result["top1"] > 0.9
    assert "Right, by the labels that were hidden" in "\n".join(lines)
    first = json.loads((tmp_path / "run.round0" / "result.json").read_text())
    assert first["pseudo_labels"] == []


def test_mistakes_are_told(settings):
    with pytest.raises(UserError, match="pseudo_label_rounds must be 0 or more"):
        FineTuning(pseudo_label_rounds=-1)
    with pytest.raises(UserError, match="pseudo_label_threshold must be 0 to 1"):
        FineTuning(pseudo_label_threshold=1.5)
