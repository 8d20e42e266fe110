"""The comparison of what labels are worth: one pretraining, then each row, a table."""

import contextlib
import io
import re

import numpy as np
import pytest

from experiments.labels import run
from simclr_tf.cli import main as cli
from tests import tiny

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]


def _in_this_process(arguments, log, cores):
    with open(log, "a") as output, contextlib.redirect_stdout(output):
        if arguments[0] in ("finetune", "distill") or "--protocol=sgd" in arguments:
            arguments = [*arguments, "--epochs=1"]
        return cli.main(arguments)


def _refuse(arguments, log, cores):
    raise AssertionError(f"{arguments} runs again")


def test_each_row_is_made_once_and_shown(tmp_path):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, [60, 16, 16, 3], np.uint8)
    np.savez(tmp_path / "images.npz", x_train=images, y_train=np.arange(60) % 3)
    arguments = [
        str(tmp_path / "runs"),
        f"cifar10=npz:{tmp_path / 'images.npz'}",
        *("--jobs=1", "--seeds=0", "--labels=all,0.5", f"--student={tiny.NAME}"),
        *("--image_size=16", f"--encoder={tiny.NAME}", "--batch_size=16"),
        *("--precision=float32", "--epochs=1"),
    ]
    with contextlib.redirect_stdout(io.StringIO()) as output:
        run.main(arguments, _in_this_process)
    ran = re.findall(r"^simclr (\w+) ", output.getvalue().split("\n## ")[0], re.M)
    linear = ["linear_eval"] * 2
    half = [*linear, *["finetune"] * 4, "distill", "finetune"]
    assert ran == ["pretrain", *linear, "finetune", "finetune", *half]
    rows = re.findall(r"^\| (.*) \|$", output.getvalue(), re.M)
    assert rows[0] == "1 seed | all labels | 50% of the labels"
    cells = [row.split(" | ") for row in rows[1:]]
    assert [row[0] for row in cells] == [row.name for row in run.ROWS]
    assert [bool(row[1]) for row in cells] == [row.labels("all") for row in run.ROWS]
    with contextlib.redirect_stdout(io.StringIO()) as again:
        run.main(arguments, _refuse)
    assert again.getvalue() == "\n## " + output.getvalue().split("\n## ")[1]
