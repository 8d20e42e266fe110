"""A mistyped name is told what it may have been meant to be."""

import pytest

from simclr_tf.suggestions import did_you_mean, nearest


@pytest.mark.parametrize(
    ("typed", "known", "meant"),
    [
        ("Float-32", ["float16", "float32"], ["float32"]),  # Case and dashes.
        ("grayscale", ["gray", "blur"], ["gray"]),  # A beginning.
        ("colorjitter", ["crop", "jitter"], ["jitter"]),  # A part.
        ("pretrian", ["pretrain", "prepare"], ["pretrain"]),  # A slip.
        ("vit", ["vit_tiny16", "resnet18"], ["vit_tiny16"]),
        ("resnet55", ["resnet50", "resnet18", "vit"], ["resnet50"]),
        ("moco", ["simclr", "supcon", "dcl"], []),  # Another thing altogether.
        ("", ["simclr"], []),
        ("--", ["simclr"], []),
    ],
)
def test_nearest(typed, known, meant):
    assert nearest(typed, known) == meant


def test_the_same_but_for_case_comes_before_all_that_begin_so():
    known = ["ResNet50V2", "resnet50-torch", "resnet50"]
    assert nearest("ResNet50", known, count=3)[0] == "resnet50"


def test_the_sentence():
    assert did_you_mean("batchsize", ["batch_size"], form="--{}") == (
        " Did you mean --batch_size?"
    )
    assert did_you_mean("flp", ["flip", "vflip"], count=2) == (
        " Did you mean flip or vflip?"
    )
    assert did_you_mean("nothing", ["flip"]) == ""
