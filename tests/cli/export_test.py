"""`simclr export` in each format, of an encoder and of a classifier."""

import json

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.cli.export_images import load_images
from simclr_tf.cli.exportable import Exportable
from simclr_tf.cli.main import main
from simclr_tf.data import DataError, kinds
from simclr_tf.errors import UserError
from simclr_tf.methods.supervised import SupervisedMethod
from simclr_tf.training import Recipe, RunFolder, build_model, run_files
from simclr_tf.training.checkpoints import prefix_of
from simclr_tf.training.classifier import Classes, build_classifier
from simclr_tf.training.fine_tuning import FINETUNING, FineTuning
from simclr_tf.training.flagfile import to_flagfile
from tests import sample_images, tiny
from tests.export.exported import learned

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("export_command")]
_NAMES = ["circle", "square", "triangle"]


def _write(run, settings, model):
    tf.io.gfile.makedirs(run.checkpoints)
    run_files.write_text(run.flags, to_flagfile(settings, run.kind))
    tf.train.Checkpoint(model=model).write(prefix_of(run.checkpoints, 1))


@pytest.fixture(scope="module")
def encoder_run(tmp_path_factory):
    """A run of pretrain on the embedded shapes."""
    path = str(tmp_path_factory.mktemp("runs") / "encoder")
    recipe = Recipe(
        dataset="shapes", image_size=32, encoder=tiny.NAME, precision="bfloat16"
    ).resolve()
    _write(RunFolder(path), recipe, learned(build_model(recipe)))
    return path


@pytest.fixture(scope="module")
def classifier_run(tmp_path_factory):
    """A run of finetune."""
    run = RunFolder(str(tmp_path_factory.mktemp("runs") / "classifier"), FINETUNING)
    settings = FineTuning(
        dataset="shapes", image_size=32, encoder=tiny.NAME, from_scratch=True
    ).resolve(300)
    classes = Classes(_NAMES)
    model = build_classifier(settings, classes, SupervisedMethod())
    _write(run, settings, learned(model))
    classes.write(run)
    return run.path


def test_a_saved_model_is_compared_with_its_source(encoder_run, tmp_path, capsys):
    output = tmp_path / "out"
    assert main(["export", f"--run={encoder_run}", f"--output={output}"]) == 0
    said = capsys.readouterr().out
    assert "Loaded without simclr_tf, it answers 48 images of shapes as its" in said
    assert "lowest cosine 1.000000" in said


def test_a_classifier_of_integers(classifier_run, capsys):
    arguments = ["--format=tflite", "--quantize=int8"]
    assert main(["export", f"--run={classifier_run}", *arguments]) == 0
    said = capsys.readouterr().out
    assert "same class" in said
    assert f"{classifier_run}/classifier.tflite, in int8, for images of 32 px" in said
    with open(f"{classifier_run}/classifier.tflite.json") as file:
        says = json.load(file)
    assert says["classes"] == _NAMES
    assert says["precision"] == "int8"


def test_a_classifier_as_a_saved_model(classifier_run, tmp_path):
    output = str(tmp_path / "out")
    arguments = [f"--run={classifier_run}", f"--output={output}", "--nocheck"]
    assert main(["export", *arguments]) == 0
    classify = tf.saved_model.load(output).signatures["classify"]
    answer = classify(images=tf.zeros([2, 50, 40, 3]))
    np.testing.assert_allclose(tf.reduce_sum(answer["probabilities"], 1), 1.0, 1e-5)
    assert answer["classes"][0].numpy().tolist() == [x.encode() for x in _NAMES]


def test_images_that_are_gone_are_replaced_by_the_embedded(capsys):
    exported = Exportable(None, 32, None, "npz:gone.npz", None)
    images = load_images(exported, None, 4)
    assert "The run's images cannot be read: gone.npz" in capsys.readouterr().out
    assert images.spec == "shapes"
    assert {image.shape[-1] for image in images.compared} == {4}
    for dataset, calibrate in (("npz:gone.npz", False), (None, True)):
        with pytest.raises(DataError, match="does not exist"):
            load_images(exported, dataset, 4, calibrate=calibrate)
    nothing = exported._replace(dataset=None)
    with pytest.raises(UserError, match="name them with --dataset"):
        load_images(nothing, None, 3, calibrate=True)


@pytest.mark.parametrize(
    ("compare", "calibrate", "splits_read"),
    [(True, False, ["test"]), (False, True, ["train"]), (True, True, None)],
)
def test_only_the_images_that_are_used_are_loaded(
    compare, calibrate, splits_read, monkeypatch
):
    seen, load = [], kinds.load

    def noting(spec, split="train", **said):
        seen.append(split)
        return load(spec, split, **said)

    for module in ("simclr_tf.data.splits", "simclr_tf.cli.export_images"):
        monkeypatch.setattr(f"{module}.load", noting)
    exported = Exportable(None, 32, None, "shapes", None)
    images = load_images(exported, None, 3, compare=compare, calibrate=calibrate)
    assert seen == (splits_read or ["train", "test"])
    assert len(images.compared) == (48 if compare else 0)
    assert len(images.calibrated) == (256 if calibrate else 0)


def test_images_of_many_sizes_keep_theirs(tmp_path):
    for place, size in enumerate([(20, 30), (41, 25), (33, 33), (24, 50), (20, 20)]):
        file = tmp_path / f"{place}.jpg"
        file.write_bytes(sample_images.jpeg(sample_images.photo(*size, place)))
    exported = Exportable(None, 32, None, None, None)
    images = load_images(exported, f"folder:{tmp_path}", 3, calibrate=True)
    shapes = [tuple(each.shape) for each in (*images.compared, *images.calibrated)]
    assert {(41, 25, 3), (24, 50, 3), (20, 20, 3)} <= set(shapes)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--format=keras", "--quantize=int8"], "quantize=int8 is for the format"),
        (["--format=onnx", "--precision=bfloat16"], "is for a SavedModel"),
        (["--input_size=64"], "--input_size is for files"),
        (["--format=tflite", "--output=."], "is a folder"),
        (["--format=pt"], "--format must be one of savedmodel, keras, tflite, onnx"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(encoder_run, capsys, flags, said):
    if flags[0] == "--format=onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("tf2onnx")
    assert main(["export", f"--run={encoder_run}", *flags]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_what_the_model_raises_is_no_error_of_writing(encoder_run, capsys, monkeypatch):
    def fail(*arguments, **named):
        raise tf.errors.InvalidArgumentError(None, None, "of the model")

    monkeypatch.setattr("simclr_tf.cli.export.export_file", fail)
    assert main(["export", f"--run={encoder_run}", "--format=keras"]) == 1
    said = capsys.readouterr().err
    assert "InvalidArgumentError: of the model" in said
    assert "Cannot write" not in said


def test_what_is_not_installed_is_named(encoder_run, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tf2onnx", None)
    assert main(["export", f"--run={encoder_run}", "--format=onnx"]) == 2
    assert "pip install 'simclr-tf[onnx]'" in capsys.readouterr().err
