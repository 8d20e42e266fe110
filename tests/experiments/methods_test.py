"""The comparison of methods: short runs, epochs, trainings, evaluations, table."""

import contextlib
import io
import json
import os
import pathlib
import re
import sys

import numpy as np
import pytest

from experiments import commands
from experiments.methods import run
from simclr_tf.cli import main as cli
from tests import tiny

pytestmark = pytest.mark.slow


def _in_this_process(arguments, log, cores):
    with open(log, "a") as output, contextlib.redirect_stdout(output):
        return cli.main(arguments)


def _refuse(arguments, log, cores):
    raise AssertionError(f"{arguments} runs again")


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    """Of a comparison of one method after a tenth of a second, which is an epoch."""
    folder = tmp_path_factory.mktemp("methods")
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, [64, 16, 16, 3], np.uint8)
    labels = np.arange(64) % 3
    np.savez(folder / "images.npz", x_train=images, y_train=labels)
    return [
        str(folder / "runs"),
        f"cifar10=npz:{folder / 'images.npz'}",
        "--minutes=0.002",
        "--jobs=1",
        "--methods=supervised",
        "--seeds=0",
        *("--image_size=16", f"--encoder={tiny.NAME}", "--batch_size=16"),
        *("--precision=float32", "--views=crop|flip"),
    ]


@pytest.fixture(scope="module")
def shown(arguments):
    with contextlib.redirect_stdout(io.StringIO()) as output:
        run.main(arguments, _in_this_process)
    return output.getvalue()


@pytest.mark.exhaustive
def test_commands_of_each_row_are_run_and_shown(arguments, shown):
    ran = re.findall(r"^simclr (\w+) .*", shown, re.MULTILINE)
    one = ["linear_eval", "linear_eval", "knn", "knn"]
    assert ran == ["pretrain", "pretrain", *one, "pretrain"]
    # The row's command is the one that was run.
    commands = re.findall(r"^simclr pretrain .*/seed0$", shown, re.MULTILINE)
    assert len(commands) == 2
    assert commands[0] == commands[1]
    assert "--method=supervised" in commands[0]
    assert "--views=crop|flip" in commands[0].replace("'", "")
    folder = pathlib.Path(arguments[0]) / "cifar10/supervised/seed0"
    result = json.loads((folder / "result.json").read_text())
    assert f"--epochs={result['epochs']} " in commands[0]


@pytest.mark.exhaustive
def test_the_table_has_a_row_for_the_method_and_for_random_encoders(shown):
    rows = re.findall(r"^\| (.*) \|$", shown, re.MULTILINE)
    head, trained, random = (row.split(" | ") for row in rows)
    assert head[1:] == ["linear", "20-NN", "training, s", "images/s"]
    assert re.fullmatch(r"supervised, \d+ epochs", trained[0])
    assert random[0] == "random encoder"
    cell = r"[01]\.\d{3} \([01]\.\d{3} to [01]\.\d{3}\)"
    assert all(re.fullmatch(cell, each) for each in (*trained[1:3], *random[1:3]))


@pytest.mark.exhaustive
def test_what_is_done_is_not_run_again(arguments, shown):
    with contextlib.redirect_stdout(io.StringIO()) as output:
        run.main(arguments, _refuse)
    assert output.getvalue() == shown[shown.index("\n## cifar10") :]


def test_a_command_that_fails_is_named_after_the_others_ran(arguments, tmp_path):
    ran = []

    def fail(arguments, log, cores):
        ran.append(arguments)
        return 2 * ("--method=dcl" in arguments)

    others = [str(tmp_path), *arguments[1:], "--methods=dcl,rotation"]
    with pytest.raises(SystemExit, match=r"--method=dcl .* failed: see .*speed\.log"):
        run.main(others, fail)
    assert len(ran) == 2


def test_epochs_are_those_whose_small_and_full_views_take_the_time(tmp_path):
    """After 10 s of start: 2 s an epoch of small views, 6 s of full ones."""
    folder = tmp_path / "cifar10" / "dcl" / "speed"
    folder.mkdir(parents=True)
    (folder / "flags.txt").write_text("--batch_size=50\n")
    speeds = (1, 500, 1, 1000 / 6)
    rows = [
        {"step": 20 * epoch, "epoch": epoch, "images_per_second": speed}
        for epoch, speed in enumerate(speeds, 1)
    ]
    rows.insert(1, {"step": 30, "epoch": 1.5, "images_per_second": 2})
    (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "result.json").write_text(json.dumps({"seconds": 26}))
    text = [str(tmp_path), "cifar10=shapes", "--minutes=0.7"]
    options, flags = run._parse(text)
    comparison = run.Comparison(tmp_path, "cifar10", "shapes", options, flags)
    # 10 + 7 x 2 + 3 x 6 = 42, as 10 + 10 x 2 + 2 x 6, whose share is farther from 0.75.
    assert comparison.epochs("dcl") == (10, 0.7)


def test_a_command_runs_on_its_share_of_the_cores(tmp_path, monkeypatch):
    program = "import os, sys, time; time.sleep(0.3); print(os.sched_getaffinity(0))"
    program += "; sys.exit(sys.argv[1] == 'wrong')"
    monkeypatch.setattr(commands, "PROGRAM", (sys.executable, "-c", program))
    log, core = tmp_path / "log", max(os.sched_getaffinity(0))
    assert commands.launch(["knn"], log, [core]) == 0
    assert commands.launch(["wrong"], log, [core]) == 1
    assert log.read_text() == 2 * f"{{{core}}}\n"
