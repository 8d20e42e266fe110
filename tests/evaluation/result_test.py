"""The result object: numbers that print and that json writes."""

import dataclasses
import json

import pytest

from simclr_tf.evaluation import EvaluationResult

RESULT = EvaluationResult(
    method="linear probe",
    top1=0.61,
    top5=0.95,
    num_classes=10,
    num_train=100,
    num_test=20,
    num_unlabelled=0,
    hyperparameters={"C": 0.01},
    converged=True,
    seconds=1.25,
)


def test_dict_goes_through_json():
    numbers = json.loads(json.dumps(RESULT.to_dict()))
    assert EvaluationResult(**numbers) == RESULT


def test_reads_as_one_line():
    text = str(RESULT)
    assert text == (
        "linear probe: top-1 0.6100, top-5 0.9500 (C=0.01; 10 classes, 100 train, "
        "20 test; 1.2 s)"
    )


def test_says_what_is_missing():
    text = str(
        dataclasses.replace(RESULT, top5=None, num_unlabelled=7, converged=False)
    )
    assert "top-5" not in text
    assert "7 unlabelled left out" in text
    assert "did not converge" in text
    assert str(dataclasses.replace(RESULT, note="k was 5")).endswith(" - k was 5")


def test_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        RESULT.top1 = 1.0
