"""What commands do with the encoder of a run: one that was saved and never trained."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from simclr_tf.checkpoints.files import prefix_of
from simclr_tf.cli import encoder_flags
from simclr_tf.cli.main import COMMANDS, main
from simclr_tf.training import Recipe, RunFolder, build_model, run_files
from simclr_tf.training.flagfile import to_flagfile
from tests import tiny

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """Of 40 labelled images that have no test split, and of bfloat16."""
    path = tmp_path_factory.mktemp("data") / "images.npz"
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, [40, 12, 12, 3], np.uint8)
    np.savez(path, x_train=images, y_train=np.arange(40) % 2)
    return Recipe(
        dataset=f"npz:{path}",
        image_size=12,
        encoder=tiny.NAME,
        head_layers=1,
        batch_size=8,
        precision="bfloat16",
    ).resolve()


@pytest.fixture
def write_run(recipe, tmp_path):
    """Writes a run folder of the recipe with some changes."""

    def write(**changes):
        run = RunFolder(str(tmp_path / "run"))
        changed = dataclasses.replace(recipe, **changes)
        tf.io.gfile.makedirs(run.checkpoints)
        run_files.write_text(run.flags, to_flagfile(changed))
        state = tf.train.Checkpoint(model=build_model(changed))
        state.write(prefix_of(run.checkpoints, 1))
        return run.path

    return write


def _dtypes(name, *flags):
    loaded = encoder_flags.load(COMMANDS[name].parse(flags))
    return {layer.compute_dtype for layer in loaded.encoder.encoder.layers}


def test_a_run_in_bfloat16_is_encoded_in_float32_unless_asked(write_run):
    run = f"--run={write_run()}"
    for name in ("knn", "linear_eval", "embed", "export"):
        assert _dtypes(name, run) == {"float32"}
    assert _dtypes("knn", run, "--random") == {"float32"}
    assert _dtypes("embed", run, "--precision=bfloat16") == {"bfloat16"}


@pytest.mark.parametrize(  # `commands_test.py` has one that did not.
    "on_all", [pytest.param(False, marks=pytest.mark.exhaustive), True]
)
def test_it_is_said_whether_test_images_were_learned_from(write_run, capsys, on_all):
    run = write_run(pretrain_on_all=on_all)
    assert main(["knn", f"--run={run}"]) == 0
    said = "pretrained on the test images too" in capsys.readouterr().out
    with open(f"{run}/knn.json") as file:
        assert json.load(file)["pretrained_on_test_images"] is said is on_all


def test_what_cannot_be_read_is_said_once(write_run, tmp_path, capsys):
    """The floors are measured on the same images."""
    for place in range(30):
        path = tmp_path / "photos" / "ab"[place % 2] / f"{place:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full([9, 9, 3], 8 * place, np.uint8)).save(path)
    contents = bytearray(path.read_bytes())
    contents[contents.index(b"IDAT") + 12] ^= 0xFF  # Both ends look whole.
    path.write_bytes(contents)
    dataset = f"--dataset=folder:{tmp_path / 'photos'}"
    assert main(["knn", f"--run={write_run()}", dataset]) == 0
    said = capsys.readouterr().out
    assert said.count("1 of ") == said.count("cannot be read") == 1


def test_an_output_in_the_run_that_cannot_be_written_is_told_first(
    write_run, capsys, monkeypatch
):
    run = write_run()
    monkeypatch.setattr(encoder_flags, "features", None)  # No image is encoded.
    for name, output in (("knn", "knn.json"), ("linear_eval", "linear_eval.json")):
        tf.io.gfile.makedirs(f"{run}/{output}")
        assert main([name, f"--run={run}"]) == 2
        assert f"{run}/{output} is a folder" in capsys.readouterr().err
    run_files.write_text(f"{run}/saved_model", "in the way")
    assert main(["export", f"--run={run}"]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert f"{run}/saved_model" in said
