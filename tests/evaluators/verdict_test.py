"""Whether it learned: of made figures, of which anyone can tell."""

import math
import re

import numpy as np
import pytest

from simclr_tf.evaluators.floors import Floors
from simclr_tf.evaluators.verdict import (
    Evidence,
    give_verdict,
    standard_error,
)

VIEWS = "query_contrastive_accuracy"
CHANCE = {"contrastive_loss": 5.541, "contrastive_accuracy": 0.004, VIEWS: 0.001}
SHOWN = {"loss": "contrastive_loss", "acc": "contrastive_accuracy"}
LABELS = {"knn_accuracy": 0.6, "ridge_accuracy": 0.62}


def _floors(*, labels=True, **start):
    accuracies = {"knn_accuracy": 0.27, "ridge_accuracy": 0.3} if labels else {}
    pixels = {"knn_accuracy": 0.31, "ridge_accuracy": 0.25} if labels else {}
    majority = 0.1 if labels else None
    return Floors({**accuracies, VIEWS: 0.1, **start}, pixels, CHANCE, majority, 500)


def _verdict(end, floors=None, loss=3.0, **evidence):
    settings = {"steps": 5000, "least_steps": 1400, "compares_views": True, **evidence}
    return give_verdict(
        Evidence(
            floors=floors or _floors(),
            end={VIEWS: 0.8, "collapsed": 0.0, **end},
            epoch={"contrastive_loss": loss, "contrastive_accuracy": 0.7},
            shown=SHOWN,
            **settings,
        )
    )


def test_with_labels_it_learned_if_an_accuracy_is_above_all_its_floors():
    verdict = _verdict(LABELS)
    assert (verdict.learned, verdict.basis, verdict.reasons) == (True, "labels", [])
    # ridge: 0.32 above what it was before training; kNN: 0.29 above pixels.
    assert verdict.lines[-1] == (
        "Verdict: learned. ridge 0.620 is 0.320 (standard error 0.030) above its "
        "nearest floor, before training (0.300)."
    )


def _digits(right):
    return "".join("02"[int(each)] for each in right)


def test_the_error_of_a_gain_is_that_of_the_images_that_changed():
    """0.04 of 500 images, which two independent shares would hide."""
    count = np.arange(500)
    before, now = count < 155, count < 175
    pixels = (count % 10) < 3
    right = {"before training": {"knn_accuracy": _digits(before)}}
    floors = Floors(
        {"knn_accuracy": 0.31}, {"knn_accuracy": 0.30}, CHANCE, None, 500, right
    )
    end, end_right = {"knn_accuracy": 0.35}, {"knn_accuracy": _digits(now)}
    verdict = _verdict(end, floors, end_right=end_right)
    # Of pixels it was not noted; 0.05 is then 1.7 standard errors.
    assert verdict.learned is False
    assert "0.050 (standard error 0.030) above its nearest" in verdict.lines[-2]
    right["pixels"] = {"knn_accuracy": _digits(pixels)}
    assert _verdict(end, floors, end_right=end_right).learned is False
    right["pixels"] = {"knn_accuracy": _digits(count < 150)}
    verdict = _verdict(end, floors, end_right=end_right)
    assert verdict.learned is True
    error = math.sqrt(20 - 20**2 / 500) / 500
    assert (
        f"0.040 (standard error {error:.3f}) above its nearest floor, before"
        in (verdict.lines[-1])
    )


@pytest.mark.parametrize(
    ("knn", "ridge", "learned"),
    [
        (0.27, 0.3, False),  # As before training.
        (0.30, 0.24, False),  # Above before training, and not above pixels.
        (0.35, 0.3, False),  # 0.04 above pixels: 1.3 standard errors of 500 images.
        (0.38, 0.3, True),  # 0.07: 2.3 standard errors.
        (0.27, 0.37, True),
        (0.1, 0.1, False),
    ],
)
def test_the_gain_must_be_more_than_two_standard_errors(knn, ridge, learned):
    verdict = _verdict({"knn_accuracy": knn, "ridge_accuracy": ridge})
    assert verdict.learned is learned
    assert verdict.reasons == ([] if learned else ["unknown"])


def test_of_many_images_a_gain_of_no_use_does_not_count():
    floors = Floors({"knn_accuracy": 0.300}, {}, CHANCE, 0.1, 10**6)
    assert not _verdict({"knn_accuracy": 0.315}, floors).learned
    assert _verdict({"knn_accuracy": 0.325}, floors).learned


def test_each_figure_stands_beside_its_floors_with_a_standard_error():
    lines = _verdict(LABELS).lines
    assert lines[:-1] == [
        "On 500 images, and what has learned nothing:",
        "  kNN 0.600 ± 0.022  "
        "(before training 0.270, pixels 0.310, largest class 0.100)",
        "  ridge 0.620 ± 0.022  "
        "(before training 0.300, pixels 0.250, largest class 0.100)",
        "  other view found 0.800 ± 0.018  (before training 0.100, chance 0.001)",
        "On the batches of the last epoch:",
        "  contrastive loss 3.000  (chance 5.541)",
        "  contrastive accuracy 0.700  (chance 0.004)",
    ]
    assert standard_error(0.6, 500) == pytest.approx(math.sqrt(0.24 / 500))


NOTHING = {"knn_accuracy": 0.28, "ridge_accuracy": 0.3}


@pytest.mark.parametrize(
    ("reason", "flag", "end", "evidence"),
    [
        ("collapsed", "--learning_rate", {"collapsed": 1.0}, {}),
        ("loss not below chance", "--epochs", {}, {"loss": 5.6}),
        (
            "views nearly alike",
            "--views",
            {},
            {"floors": _floors(query_contrastive_accuracy=0.95)},
        ),
        ("too few steps", "--epochs", {}, {"steps": 60}),
        ("unknown", "--epochs", {}, {}),
    ],
)
def test_why_it_learned_little_and_which_flag_to_change(reason, flag, end, evidence):
    verdict = _verdict({**NOTHING, **end}, **evidence)
    assert verdict.learned is False
    assert verdict.reasons == [reason]
    assert verdict.lines[-2].startswith("Verdict: learned little: ")
    assert verdict.lines[-1].startswith("Why: ")
    assert flag in verdict.lines[-1]


def _rows(losses, knn=None):
    """Rows of metrics.jsonl at the ends of epochs, kNN every fourth of them."""
    rows = [{"contrastive_loss": loss} for loss in losses]
    for place, value in enumerate(knn or []):
        rows[4 * place + 3]["knn_accuracy"] = value
    return rows


_FALLING, _LEVEL = np.linspace(5.4, 5.0, 16), np.full(16, 5.0)


@pytest.mark.parametrize(
    ("rows", "early", "told"),
    [
        (_rows(_FALLING), 0, "contrastive loss was 5.147 in the third quarter"),
        (_rows(_LEVEL), 0, None),
        # What fell was the loss of smaller views.
        (_rows([*_FALLING, *_LEVEL]), 16, None),
        (_rows(_LEVEL, [0.1, 0.1, 0.2, 0.28]), 0, "kNN was 0.100 at half and 0.280"),
        (_rows(_LEVEL, [0.1, 0.26, 0.27, 0.28]), 0, None),
    ],
)
def test_a_run_that_still_got_better_was_not_at_its_end(rows, early, told):
    verdict = _verdict(NOTHING, rows=rows, early_epochs=early, loss=5.0)
    assert verdict.reasons == [("not yet at its end" if told else "unknown")]
    if told:
        assert told in verdict.lines[-1]
        assert "--extend_epochs" in verdict.lines[-1]
    few = _verdict(NOTHING, rows=rows, early_epochs=early, steps=60)
    assert few.reasons == ["too few steps", *(["not yet at its end"] if told else [])]
    # More of the same does not help where something is wrong, nor is it for a good run.
    collapsed = _verdict({**NOTHING, "collapsed": 1.0}, rows=rows, early_epochs=early)
    assert collapsed.reasons == ["collapsed"]
    assert _verdict(LABELS, rows=rows, early_epochs=early).reasons == []


def test_all_reasons_are_told():
    verdict = _verdict({**NOTHING, "collapsed": 1.0}, loss=6.28, steps=60)
    assert verdict.reasons == ["collapsed", "loss not below chance", "too few steps"]
    assert sum(line.startswith("Why: ") for line in verdict.lines) == 3


def test_figures_of_images_that_were_learned_from_are_called_so():
    seen, unseen = (_verdict(LABELS, seen=seen).lines for seen in (True, False))
    for line in (0, -1):
        assert "that it learned from" in seen[line]
        assert "that it learned from" not in unseen[line]


@pytest.mark.parametrize(
    ("now", "end", "evidence", "learned"),
    [
        (0.8, {}, {}, True),
        (0.8, {}, {"steps": 600}, True),  # Few steps that were enough.
        (0.15, {}, {}, False),
        (0.05, {}, {}, False),
        (0.8, {"collapsed": 1.0}, {}, False),
        (0.8, {}, {"loss": 5.55}, False),
    ],
)
def test_without_labels_it_rests_on_views_of_one_image(now, end, evidence, learned):
    floors = _floors(labels=False)
    verdict = _verdict({VIEWS: now, **end}, floors, **evidence)
    assert (verdict.learned, verdict.basis) == (learned, "views")
    said = "\n".join(verdict.lines)
    assert not re.search("kNN|ridge|class", said)
    assert ("as far as can be told without labels" in said) == learned


def test_without_labels_views_that_are_alike_teach_nothing():
    floors = _floors(labels=False, query_contrastive_accuracy=0.97)
    verdict = _verdict({VIEWS: 1.0}, floors)
    assert (verdict.learned, verdict.reasons) == (False, ["views nearly alike"])


def test_a_method_that_compares_no_views_is_judged_by_labels_or_not_at_all():
    pretext = {"compares_views": False}
    assert _verdict(LABELS, **pretext).learned is True
    floors = _floors(labels=False)
    untold = _verdict({}, floors, **pretext)
    assert (untold.learned, untold.basis) == (None, "")
    assert "--eval_dataset" in untold.lines[-1]
    assert not any("other view" in line for line in untold.lines)
    assert _verdict({"collapsed": 1.0}, floors, **pretext).learned is False


def test_nothing_is_claimed_of_a_run_that_was_not_measured_at_its_beginning():
    verdict = give_verdict(Evidence(None, LABELS, {}, SHOWN, 5000, 1400, True))
    assert verdict.learned is None
    assert verdict.lines[1] == "  kNN 0.600"
    assert "not measured from the beginning" in verdict.lines[-1]


def test_floors_survive_their_file():
    floors = _floors()
    assert Floors.from_dict(floors.to_dict()) == floors
    right = {"pixels": {"knn_accuracy": "0220"}}
    assert Floors.from_dict(floors.to_dict(), right).right == right
