"""Images of any channels, ranges and sides are trained, exported and loaded again."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.cli.main import main
from simclr_tf.training import RunFolder
from tests import tiny

pytestmark = pytest.mark.exhaustive

_COUNT, _HEIGHT, _WIDTH = 48, 20, 28


def _images(channels, dtype):
    generator = np.random.default_rng(channels)
    coarse = generator.uniform(size=[_COUNT, 5, 7, channels])
    images = tf.image.resize(coarse, [_HEIGHT, _WIDTH]).numpy()
    white = {"uint8": 255, "uint16": 65535, "12 bits": 4095, "float32": 1.0}[dtype]
    images = images * white
    if dtype != "float32":
        images = np.round(images)
    return images.astype({"12 bits": "uint16"}.get(dtype, dtype))


def _write(folder, images, kind):
    labels = np.arange(len(images)) % 3
    if kind == "npz":
        path = folder / "images.npz"
        np.savez(path, images=images, labels=labels)
        return f"npz:{path}"
    path = str(folder / "images.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        for image, label in zip(images, labels):
            contents = tf.io.serialize_tensor(image).numpy()
            features = {
                "image": tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=[contents])
                ),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    return f"tfrecord:{path}"


@pytest.mark.parametrize(
    ("kind", "channels", "dtype", "size"),
    [
        ("npz", 4, "12 bits", "16x24"),
        ("npz", 1, "uint8", "16"),
        ("npz", 2, "uint16", "16"),
        ("npz", 3, "uint8", "16x24"),
        ("npz", 6, "float32", "24x16"),
        ("tfrecord", 1, "uint16", "16x24"),
        ("tfrecord", 5, "12 bits", "16"),
    ],
)
def test_it_is_trained_exported_and_loaded(
    tmp_path, monkeypatch, capsys, kind, channels, dtype, size
):
    monkeypatch.setenv("SIMCLR_TF_CACHE", str(tmp_path / "cache"))
    images = _images(channels, dtype)
    run = tmp_path / "run"
    flags = [
        f"--dataset={_write(tmp_path, images, kind)}",
        f"--image_size={size}",
        f"--channels={channels}",
        *(["--value_range=0,4095"] if dtype == "12 bits" else []),
        *(["--value_range=0,1"] if dtype == "float32" else []),
    ]
    settings = ["--epochs=2", "--batch_size=16", "--head_layers=1", "--early_share=0.5"]
    settings += ["--blur=false", "--precision=float32", "--warmup_epochs=0"]
    begin = ["pretrain", *flags, *settings, f"--encoder={tiny.NAME}", f"--run={run}"]
    assert main(begin) == 0
    assert 'class="views card"' in (run / "report.html").read_text()
    assert f"views of {size} px (first 1 epochs" in capsys.readouterr().out
    recipe = RunFolder(str(run)).recipe()
    assert recipe.channels == channels
    assert ("gray" in recipe.views) == (channels == 3)
    assert f"--image_size={size}\n" in (run / "flags.txt").read_text()
    assert main(begin) == 0  # Done: the same settings are those of the run.

    picture = tmp_path / "preview.png"
    assert main(["preview", *flags, "--images=2", f"--output={picture}"]) == 0
    said = capsys.readouterr().out
    assert ("no hue" in said) == (channels != 3)
    assert ("Drawn: " in said) == (channels not in (1, 3))

    assert main(["embed", f"--run={run}", f"--output={tmp_path / 'h.npz'}"]) == 0
    assert main(["knn", f"--run={run}"]) == 0
    export = tmp_path / "export"
    assert main(["export", "--nocheck", f"--run={run}", f"--output={export}"]) == 0
    loaded = tf.saved_model.load(str(export))
    signature = loaded.signatures["serving_default"]
    shape = signature.structured_input_signature[1]["images"].shape
    assert shape.as_list() == [None, None, None, channels]
    assert ("jpeg" in loaded.signatures) == (channels in (1, 3))
    white = {"uint8": 255, "uint16": 65535, "12 bits": 4095, "float32": 1}[dtype]
    unit = tf.constant(images / white, tf.float32)
    with np.load(tmp_path / "h.npz") as embedded:
        features = embedded["features"]
    np.testing.assert_allclose(loaded(unit), features, atol=2e-5)
    np.testing.assert_allclose(signature(images=unit)["features"], features, atol=2e-5)
