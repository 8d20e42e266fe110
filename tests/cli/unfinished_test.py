"""Each command that takes the weights of a run says where it has not ended."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.cli import encoder_flags, exportable
from simclr_tf.cli.main import COMMANDS, main
from simclr_tf.training import FineTuning, Recipe, RunFolder, build_model
from tests import tiny
from tests.training.cut_short import before_the_first_step
from tests.training.made_classifiers import make_classifier

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "images.npz"
    images = np.random.default_rng(0).integers(0, 256, [20, 16, 16, 3], np.uint8)
    np.savez(path, x_train=images, y_train=np.arange(20) % 2)
    return f"npz:{path}"


@pytest.fixture(scope="module")
def runs(dataset, tmp_path_factory):
    """The folders of a pretraining and a fine-tuning, after step 3."""
    folder = tmp_path_factory.mktemp("runs")
    said = Recipe(dataset=dataset, encoder=tiny.NAME, batch_size=4)
    recipe = said.resolve(16, images=20, native_channels=3)
    run = RunFolder(str(folder / "pretrained"))
    run.start(recipe)
    state = tf.train.Checkpoint(model=build_model(recipe))
    state.write(f"{run.checkpoints}/ckpt-3")
    settings = FineTuning(dataset=dataset, from_scratch=True)
    classifier = make_classifier(folder / "finetuned", settings, ["0", "1"])
    return {"pretrained": run.path, "finetuned": classifier}


def _take(command, run, folder):
    """A command, as far as it goes before its work."""
    if command == "export":
        exportable.load(COMMANDS["export"].parse([f"--run={run}"]))
    elif command in ("knn", "linear_eval", "embed", "search"):
        encoder_flags.load(COMMANDS[command].parse([f"--run={run}"]))
    elif command == "classify":
        flags = [f"--run={run}", f"--output={folder / 'classes.csv'}"]
        assert main(["classify", *flags]) == 0
    else:
        source = "teacher" if command == "distill" else "init"
        flags = [f"--{source}={run}", f"--run={folder / 'run'}", "--batch_size=4"]
        with before_the_first_step():
            assert main([command, *flags]) == 75


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("knn", "pretrained"),
        *(
            pytest.param(name, "pretrained", marks=pytest.mark.exhaustive)
            for name in ("linear_eval", "embed", "search")  # By the same flags.
        ),
        ("export", "pretrained"),
        ("finetune", "pretrained"),
        ("export", "finetuned"),
        ("classify", "finetuned"),
        ("distill", "finetuned"),
    ],
)
def test_a_run_that_has_not_ended_is_told(command, kind, runs, tmp_path, capsys):
    run = RunFolder(runs[kind])
    told = f"{run.path} has not ended: its newest state is taken, after step 3."
    _take(command, run.path, tmp_path / "first")
    assert capsys.readouterr().out.count(told) == 1


def test_one_that_has_ended_is_not(runs, tmp_path, capsys):
    run = RunFolder(runs["finetuned"])
    run.write_result({"top1": 0.5})
    try:
        _take("distill", run.path, tmp_path)
    finally:
        tf.io.gfile.remove(run.result)
    assert "has not ended" not in capsys.readouterr().out
