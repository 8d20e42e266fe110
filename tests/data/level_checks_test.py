"""Pictures of 12 bits in files of 16: their range is stated, or they are refused."""

import numpy as np
import pytest
import tensorflow as tf
import tifffile

from simclr_tf.augmentation import SimCLRAugmenter
from simclr_tf.cli.main import main
from simclr_tf.data import (
    DataError,
    ImageForm,
    evaluation_batches,
    load,
    load_for_pretraining,
    pretrain_batches,
)

_COUNT = 8
_TWELVE = np.random.default_rng(0).integers(0, 4096, [_COUNT, 9, 9]).astype(np.uint16)
_STATED = ImageForm(value_range=(0.0, 4095.0))


@pytest.fixture(params=["png", "tif"])
def scans(tmp_path, request):
    folder = tmp_path / "scans"
    folder.mkdir()
    for place, image in enumerate(_TWELVE):
        path = str(folder / f"{place}.{request.param}")
        if request.param == "png":
            tf.io.write_file(path, tf.io.encode_png(image[..., None]))
        else:
            tifffile.imwrite(path, image)
    return folder


def _seen(source):
    """Evaluation views of the files' own size."""
    batch = next(iter(evaluation_batches(source, batch_size=_COUNT, image_size=9)))
    return batch["image"].numpy()


_EXPECTED = np.repeat(np.round(_TWELVE[..., None] * (255 / 4095)) / 255, 3, -1)


def test_files_that_would_be_nearly_black_are_refused(scans):
    with pytest.raises(
        DataError, match=r"nearly black, with 1[56] of 255.*value_range=0,4"
    ):
        load(f"folder:{scans}", image_size=9)


@pytest.mark.slow
def test_training_and_evaluation_see_the_stated_range(scans, capfd):
    source = load(f"folder:{scans}", image_size=9, form=_STATED)
    np.testing.assert_allclose(_seen(source), _EXPECTED, atol=1e-6)
    augmenter = SimCLRAugmenter(9, color_strength=0.0, blur=False)
    batches = pretrain_batches(source, augmenter, batch_size=_COUNT, seed=0)
    views = next(iter(batches))["views"].numpy()
    assert views.mean() == pytest.approx(_EXPECTED.mean(), abs=0.05)
    canvas = next(iter(source.read(tf.data.Dataset.range(_COUNT).batch(_COUNT))))
    got = canvas["image"][:, :9, :9] / 255
    np.testing.assert_allclose(got, _EXPECTED, atol=1e-6)
    data = load_for_pretraining(
        f"folder:{scans}", image_size=9, labels=True, form=_STATED
    )
    assert data.train.value_range == (0.0, 4095.0)
    assert "value_range" not in capfd.readouterr().err


def test_a_range_that_does_not_hold_the_values_is_told_at_once(scans):
    with pytest.raises(DataError, match="values out of --value_range=0,1000: "):
        load(f"folder:{scans}", form=ImageForm(value_range=(0.0, 1000.0)))
    dark = ImageForm(value_range=(0.0, 65535.0))  # Where they are meant to be so.
    assert load(f"folder:{scans}", form=dark).value_range == (0.0, 65535.0)


def test_a_range_that_no_file_needs_is_said_not_to_be_used(tmp_path, capfd):
    image = (_TWELVE[0] // 16).astype(np.uint8)[..., None]
    tf.io.write_file(str(tmp_path / "a.png"), tf.io.encode_png(image))
    source = load(f"folder:{tmp_path}", image_size=9, form=_STATED)
    assert "value_range is not used" in capfd.readouterr().err
    np.testing.assert_allclose(
        _seen(source)[0], np.repeat(image / 255, 3, -1), atol=1e-6
    )
    with pytest.raises(DataError, match="3 channels, and channels=1 was said"):
        load(f"folder:{tmp_path}", form=ImageForm(channels=1))


@pytest.mark.slow
def test_what_prepare_writes_keeps_the_levels(scans, tmp_path, monkeypatch):
    monkeypatch.setenv("SIMCLR_TF_CACHE", str(tmp_path / "cache"))
    command = ["prepare", f"--dataset=folder:{scans}"]
    output = tmp_path / "stated"
    assert main([*command, f"--output={output}", "--value_range=0,4095"]) == 0
    np.testing.assert_allclose(
        _seen(load(f"tfrecord:{output}", image_size=9)), _EXPECTED, atol=1e-6
    )


@pytest.mark.slow
@pytest.mark.parametrize("scans", ["png"], indirect=True)
def test_files_of_16_bits_in_records_take_a_range_too(scans, tmp_path, monkeypatch):
    monkeypatch.setenv("SIMCLR_TF_CACHE", str(tmp_path / "cache"))
    path = str(tmp_path / "a.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        for file in sorted(scans.iterdir()):
            value = tf.train.BytesList(value=[file.read_bytes()])
            features = {"image": tf.train.Feature(bytes_list=value)}
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    with pytest.raises(DataError, match="nearly black"):
        load(f"tfrecord:{path}", image_size=9)
    source = load(f"tfrecord:{path}", image_size=9, form=_STATED)
    np.testing.assert_allclose(_seen(source), _EXPECTED, atol=1e-6)
