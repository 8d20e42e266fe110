"""Whether a run learned anything, in plain words, and what to change where not."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from simclr_tf.evaluators.floors import ACCURACIES, BEFORE, Floors
from simclr_tf.evaluators.share import error_of_difference
from simclr_tf.evaluators.unfinished import Rows, at_half, still_falling

# A gain counts from so many of its standard errors on: chance alone gives that in one
# of forty comparisons.
ERRORS = 2.0
# And from here on, since with many images a gain that nobody wants is significant too.
LEAST_GAIN = 0.02
# Without labels the contrastive accuracy must rise by this much.
LEAST_CONTRASTIVE_GAIN = 0.1
# Where an encoder that has learned nothing already tells the other view of an image
# from those of all others, for so many of them, there is little to learn from: views
# without any augmentation give 1.
ALIKE = 0.9

CONTRASTIVE = "query_contrastive_accuracy"
_NAMES = {
    "knn_accuracy": "kNN",
    "ridge_accuracy": "ridge",
    # Not called by its name, which batches have too, at another chance.
    CONTRASTIVE: "other view found",
}


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What a verdict rests on.

    Attributes:
      floors: figures of what has learned nothing; None where they were not measured.
      end: the same figures of the trained encoder, see `verdict_evaluators`.
      epoch: the last epoch's means of what the method measures.
      shown: short names of those that a person is shown, see `Method.shown`.
      steps: of the run.
      least_steps: fewer are too few for most images.
      compares_views: whether the method learns to tell views of one image from others.
      seen: whether images that are measured were learned from.
      end_right: which queries were right at the end, see `which_were_right`.
      rows: the rows of metrics.jsonl at epochs' ends, oldest first.
      early_epochs: how many of them had smaller views, whose loss does not compare.
    """

    floors: Floors | None
    end: Mapping[str, float]
    epoch: Mapping[str, float]
    shown: Mapping[str, str]
    steps: int
    least_steps: int
    compares_views: bool
    seen: bool = False
    end_right: Mapping[str, str] = dataclasses.field(default_factory=dict)
    rows: Rows = ()
    early_epochs: int = 0


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether it learned.

    Attributes:
      learned: True or False; None where it cannot be told.
      basis: what that rests on: "labels", "views", or "" where nothing tells.
      reasons: why it did not, by name: "collapsed", "loss not below chance", "views
        nearly alike", "too few steps", "not yet at its end", "unknown".
      lines: the same for a person, figures first.
    """

    learned: bool | None
    basis: str
    reasons: list[str]
    lines: list[str]

    def to_dict(self) -> dict[str, Any]:
        """The attributes, for JSON."""
        return dataclasses.asdict(self)


def standard_error(share: float, count: int) -> float:
    """Of a share of so many independent images (binomial)."""
    return math.sqrt(max(share * (1.0 - share), 0.0) / count) if count else 0.0


def give_verdict(evidence: Evidence) -> Verdict:
    """Says whether a run learned, from its figures and their floors.

    With labels it learned if kNN or ridge accuracy is above all its floors, by
    `LEAST_GAIN` and by `ERRORS` standard errors. Without, and where views are compared,
    it learned if the contrastive accuracy of the sample has risen in the same way by
    `LEAST_CONTRASTIVE_GAIN`, and none of the `reasons` against it holds. The error of a
    gain is that of a difference on the same images, see `error_of_difference`; where it
    was not noted which of them were right, both shares are taken as independent, whose
    error is larger.

    Where it learned little and none but too few steps is wrong, it was "not yet at its
    end" if the loss of the last epochs was still falling, see `still_falling`, or kNN
    or ridge accuracy had risen by `ERRORS` standard errors since it was last measured
    in the first half of the epochs.
    """
    lines = _figures(evidence)
    if evidence.floors is None:
        told = "Verdict: whether it learned was not measured"
        return Verdict(None, "", [], [*lines, f"{told} from the beginning."])
    reasons = _reasons(evidence)
    judged = [n for n in ACCURACIES if n in evidence.end and n in evidence.floors.start]
    if judged:
        return _by_labels(evidence, judged, reasons, lines)
    measured = CONTRASTIVE in evidence.end and CONTRASTIVE in evidence.floors.start
    if evidence.compares_views and measured:
        return _by_views(evidence, reasons, lines)
    return _untold(evidence, reasons, lines)


def _by_labels(
    evidence: Evidence, judged: list[str], reasons: list[str], lines: list[str]
) -> Verdict:
    floors, least = evidence.floors, {}
    assert floors is not None
    for name in judged:
        gains = {what: _gain(evidence, name, what) for what in floors.of(name)}
        least[name] = min(gains.items(), key=lambda item: item[1].worth(LEAST_GAIN))
    best = max(judged, key=lambda name: least[name][1].worth(LEAST_GAIN))
    what, gain = least[best]
    said = (
        f"{_NAMES[best]} {evidence.end[best]:.3f} is {_above(gain)} its nearest floor, "
        f"{what} ({floors.of(best)[what]:.3f})"
    )
    seen = "; measured on images that it learned from" if evidence.seen else ""
    if gain.counts(LEAST_GAIN):
        lines.append(f"Verdict: learned. {said}{seen}.")
        return Verdict(True, "labels", [], lines)
    return _little(evidence, "labels", f"{said}{seen}", reasons, lines)


def _by_views(evidence: Evidence, reasons: list[str], lines: list[str]) -> Verdict:
    floors = evidence.floors
    assert floors is not None
    before, now = floors.start[CONTRASTIVE], evidence.end[CONTRASTIVE]
    gain = _gain(evidence, CONTRASTIVE, BEFORE)
    said = (
        f"the other view of an image is found for {now:.3f} of a sample, "
        f"{_above(gain)} what it was before training ({before:.3f})"
    )
    against = [reason for reason in reasons if reason != "too few steps"]
    if gain.counts(LEAST_CONTRASTIVE_GAIN) and not against:
        lines.append(
            f"Verdict: learned, as far as can be told without labels: {said}. Labels "
            "of some hundred images tell more: --eval_dataset."
        )
        return Verdict(True, "views", [], lines)
    return _little(evidence, "views", said, reasons, lines)


def _untold(evidence: Evidence, reasons: list[str], lines: list[str]) -> Verdict:
    """Without labels, of a method whose task says little of what features are worth."""
    if "collapsed" in reasons or "loss not below chance" in reasons:
        return _little(evidence, "", "its task was not learned", reasons, lines)
    lines.append(
        "Verdict: without labels nothing tells what the features of this method are "
        "worth. Name some hundred labelled images with --eval_dataset."
    )
    return Verdict(None, "", [], lines)


def _little(
    evidence: Evidence, basis: str, said: str, reasons: list[str], lines: list[str]
) -> Verdict:
    """It learned little, and why."""
    # Where something else is wrong, more of the same does not help.
    if not {*reasons} - {"too few steps"} and _still_better(evidence):
        reasons = [*reasons, "not yet at its end"]
    reasons = reasons or ["unknown"]
    lines.append(f"Verdict: learned little: {said}.")
    lines += [f"Why: {_advice(reason, evidence)}" for reason in reasons]
    return Verdict(False, basis, reasons, lines)


def _reasons(evidence: Evidence) -> list[str]:
    """What is wrong, the surest first."""
    floors, found = evidence.floors, []
    assert floors is not None
    if evidence.end.get("collapsed"):
        found.append("collapsed")
    if any(
        evidence.epoch.get(name, -math.inf) >= floors.chance[name]
        for name in _losses(floors)
    ):
        found.append("loss not below chance")
    if evidence.compares_views and floors.start.get(CONTRASTIVE, 0.0) >= ALIKE:
        found.append("views nearly alike")
    if evidence.steps < evidence.least_steps:
        found.append("too few steps")
    return found


def _losses(floors: Floors) -> list[str]:
    return [name for name in floors.chance if name.endswith("_loss")]


def _advice(reason: str, evidence: Evidence) -> str:
    """A reason in words, and the flag to change."""
    floors = evidence.floors
    assert floors is not None
    if reason == "collapsed":
        return (
            f"the representations have collapsed (deviation "
            f"{evidence.end.get('deviation', math.nan):.3f}, before training "
            f"{floors.start.get('deviation', math.nan):.3f}; effective rank "
            f"{evidence.end.get('effective_rank', math.nan):.1f}, before training "
            f"{floors.start.get('effective_rank', math.nan):.1f}). Try a lower "
            "--learning_rate or --weight_decay."
        )
    if reason == "loss not below chance":
        name = _losses(floors)[0]
        return (
            f"{_words(name)} {evidence.epoch[name]:.3f} is not below that of a model "
            f"that knows nothing ({floors.chance[name]:.3f}). Try more --epochs, or "
            "another --learning_rate."
        )
    if reason == "views nearly alike":
        return (
            "an encoder that has learned nothing finds the other view of "
            f"{floors.start[CONTRASTIVE]:.3f} of the images already: the views are "
            "nearly alike. Make them differ more: crop, jitter and gray in --views; "
            "simclr preview draws them."
        )
    if reason == "not yet at its end":
        return (
            f"it was not yet at its end: {'; '.join(_still_better(evidence))}. Try "
            "more --epochs, or --extend_epochs to go on with this run."
        )
    if reason == "too few steps":
        return (
            f"{evidence.steps:,} steps are few; {evidence.least_steps:,} are the least "
            "by default. Try more --epochs, or a smaller --batch_size."
        )
    return (
        "none of the usual causes was found (a collapse, a loss above chance, views "
        "nearly alike, few steps). Try more --epochs, a lower --learning_rate, other "
        "--views."
    )


@dataclasses.dataclass(frozen=True)
class _Gain:
    points: float
    error: float

    def worth(self, least: float) -> float:
        """Above 1 where it counts, the more the better."""
        return self.points / max(least, ERRORS * self.error)

    def counts(self, least: float) -> bool:
        return self.points >= least and self.points > ERRORS * self.error


def _gain(evidence: Evidence, name: str, what: str) -> _Gain:
    """Of a figure at the end over one of its floors."""
    floors = evidence.floors
    assert floors is not None
    share, floor = evidence.end[name], floors.of(name)[what]
    error = error_of_difference(
        evidence.end_right.get(name, ""), floors.right.get(what, {}).get(name, "")
    )
    if error is None:
        error = _independent_error(share, floor, floors.queries)
    return _Gain(share - floor, error)


def _independent_error(share: float, other: float, count: int) -> float:
    return math.hypot(standard_error(share, count), standard_error(other, count))


def _still_better(evidence: Evidence) -> list[str]:
    """What was still getting better at the end, in words."""
    floors, found = evidence.floors, []
    assert floors is not None
    alike = evidence.rows[evidence.early_epochs :]
    for name in _losses(floors):
        means = still_falling(alike, name, floors.chance[name], ERRORS)
        if means is not None:
            found.append(
                f"{_words(name)} was {means[0]:.3f} in the third quarter of the epochs "
                f"and {means[1]:.3f} in the last"
            )
    for name in ACCURACIES:
        now, before = evidence.end.get(name), at_half(evidence.rows, name)
        if now is None or before is None:
            continue
        error = _independent_error(now, before, floors.queries)
        if now - before > ERRORS * error:
            found.append(f"{_NAMES[name]} was {before:.3f} at half and {now:.3f} now")
    return found


def _above(gain: _Gain) -> str:
    where = "above" if gain.points >= 0 else "below"
    return f"{abs(gain.points):.3f} (standard error {gain.error:.3f}) {where}"


def _words(name: str) -> str:
    return _NAMES.get(name, name.replace("_", " "))


def _figures(evidence: Evidence) -> list[str]:
    """Each figure of the end beside its floors."""
    floors, sample, batches = evidence.floors, [], []
    for name in (*ACCURACIES, CONTRASTIVE):
        if name not in evidence.end or (
            name == CONTRASTIVE and not evidence.compares_views
        ):
            continue
        value = evidence.end[name]
        line = f"  {_words(name)} {value:.3f}"
        if floors is not None:
            line += f" ± {standard_error(value, floors.queries):.3f}"
            below = {**floors.of(name)}
            if name in floors.chance:
                below["chance"] = floors.chance[name]
            line += _beside(below)
        sample.append(line)
    for name in evidence.shown.values():
        if name not in evidence.epoch:
            continue
        line = f"  {_words(name)} {evidence.epoch[name]:.3f}"
        if floors is not None and name in floors.chance:
            line += _beside({"chance": floors.chance[name]})
        batches.append(line)
    images = f"{floors.queries:,} images" if floors is not None else "the sample"
    learned_from = " that it learned from" if evidence.seen else ""
    return [
        *([f"On {images}{learned_from}, and what has learned nothing:"] * bool(sample)),
        *sample,
        *(["On the batches of the last epoch:"] * bool(batches)),
        *batches,
    ]


def _beside(floors: Mapping[str, float]) -> str:
    told = ", ".join(f"{what} {value:.3f}" for what, value in floors.items())
    return f"  ({told})" if told else ""
