"""A prepared data set reads back as what it was made of."""

import hashlib
import json
import pathlib
import resource
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from simclr_tf.cli.main import main
from simclr_tf.data import DataError, MissingSplit, load
from simclr_tf.data import prepared as prepared_files

_IMAGES = np.random.default_rng(0).integers(0, 256, [30, 8, 9, 3], np.uint8)


def _read(source):
    places = tf.data.Dataset.range(len(source)).batch(len(source), drop_remainder=True)
    return next(iter(source.read(places)))


@pytest.fixture
def scans(tmp_path):
    """TIFF and PNG files of two classes with a test split, and one damaged file."""
    for place, image in enumerate(_IMAGES):
        split, label = ("test", "train")[place < 24], "ab"[place % 2]
        form = "tif" if place % 3 else "png"
        path = tmp_path / "scans" / split / label / f"{place:02}.{form}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    path = tmp_path / "scans" / "train" / "a" / "bad.webp"
    path.write_bytes(b"RIFF\x10\0\0\0WEBPVP8 nothing")
    return tmp_path / "scans"


@pytest.fixture
def prepared(scans, tmp_path, capsys):
    output = tmp_path / "prepared"
    command = ["prepare", f"--dataset=folder:{scans}", f"--output={output}"]
    assert main(command) == 0
    assert "24 images in 1 files; 1 that cannot be read are left out." in (
        capsys.readouterr().out
    )
    return output


@pytest.mark.slow
def test_it_reads_back_as_it_was(scans, prepared):
    """Pixels and labels of the files, in the folder's order."""
    for split, count in (("train", 24), ("test", 6)):
        before = load(f"folder:{scans}", split, image_size=8)
        after = load(f"tfrecord:{prepared}", split, image_size=8)
        assert after.class_names == before.class_names == ["a", "b"]
        assert len(after) == count
        paths = map(pathlib.Path, before.paths)
        places = [int(path.stem) for path in paths if path.stem != "bad"]
        now = _read(after)
        np.testing.assert_array_equal(now["label"], np.array(places) % 2)
        np.testing.assert_array_equal(now["image"][:, :8, :9], _IMAGES[places])
        np.testing.assert_array_equal(now["size"], [[8, 9]] * count)


def test_the_manifest_says_what_there_is(prepared):
    manifest = json.loads((prepared / "manifest.json").read_text())
    train = manifest["splits"]["train"]
    assert train["images"] == 24
    assert train["labels"] == {"a": 12, "b": 12}
    assert (train["heights"], train["widths"]) == ([8, 8], [9, 9])
    (left_out,) = train["left_out"]
    assert left_out.endswith("bad.webp")
    for split in manifest["splits"].values():
        for file in split["files"]:
            contents = (prepared / file["file"]).read_bytes()
            assert len(contents) == file["bytes"]
            assert hashlib.sha256(contents).hexdigest() == file["sha256"]


def test_a_file_that_is_gone_is_noticed(prepared):
    shutil.copyfile(
        prepared / "train-00000.tfrecord", prepared / "train-00001.tfrecord"
    )
    with pytest.raises(DataError, match="holds 48 images, and its manifest says 24"):
        load(f"tfrecord:{prepared}")
    (prepared / "manifest.json").write_text("{")
    with pytest.raises(DataError, match=r"manifest\.json is damaged"):
        load(f"tfrecord:{prepared}")


def test_arrays_become_many_files(tmp_path, capsys):
    pixels = np.random.default_rng(1).integers(0, 256, [40, 200, 200, 3], np.uint8)
    np.savez(tmp_path / "a.npz", images=pixels, labels=np.arange(40) % 3 - 1)
    spec, output = f"npz:{tmp_path / 'a.npz'}", tmp_path / "out"
    command = [
        *("prepare", f"--dataset={spec}", f"--output={output}", "--shard_megabytes=1")
    ]
    assert main(command) == 0
    assert len(list(output.glob("train-*.tfrecord"))) > 3
    after = load(f"tfrecord:{output}", image_size=150)
    np.testing.assert_array_equal(_read(after)["image"], pixels)
    np.testing.assert_array_equal(after.labels(), np.arange(40) % 3 - 1)
    with pytest.raises(MissingSplit, match="holds train, and no test"):
        load(f"tfrecord:{output}", "test")


def test_arrays_keep_their_channels_and_levels(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 2**16, [3, 5, 6, 4]).astype(np.uint16)
    np.savez(tmp_path / "a.npz", images=pixels)
    command = ["prepare", f"--dataset=npz:{tmp_path / 'a.npz'}"]
    assert main([*command, f"--output={tmp_path / 'out'}"]) == 0
    before = _read(load(f"npz:{tmp_path / 'a.npz'}"))["image"]
    after = _read(load(f"tfrecord:{tmp_path / 'out'}"))["image"]
    assert after.dtype == before.dtype
    np.testing.assert_array_equal(after, before)


def test_mistakes_are_told(tmp_path, capsys):
    assert main(["prepare", "--dataset=shapes"]) == 2
    assert main(["prepare", "--dataset=tfrecord:x", "--output=y"]) == 2
    assert "is TFRecord already" in capsys.readouterr().err


def test_no_folder_of_others_is_replaced(scans, prepared, tmp_path, capsys):
    """Not that of the images themselves either."""
    (tmp_path / "file").write_text("mine")
    for output, said in ((scans, "would be replaced"), (tmp_path / "file", "a file")):
        before = sorted(tmp_path.rglob("*"))
        command = ["prepare", f"--dataset=folder:{scans}", f"--output={output}"]
        assert main(command) == 2
        assert f"{output} " in (told := capsys.readouterr().err)
        assert said in told
        assert sorted(tmp_path.rglob("*")) == before


def test_only_errors_of_writing_are_told_as_such(
    images_npz, tmp_path, capsys, monkeypatch
):
    output = tmp_path / "prepared"
    command = ["prepare", f"--dataset=npz:{images_npz}", f"--output={output}"]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Fuller than a full disk: no file can have more than a kilobyte.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))
    try:
        assert main(command) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "train-00000.tfrecord cannot be written: " in capsys.readouterr().err

    def fail(source):
        raise tf.errors.InvalidArgumentError(None, None, "of the source")
        yield

    monkeypatch.setattr(prepared_files, "_of_pixels", fail)
    assert main(command) == 1
    said = capsys.readouterr().err
    assert "InvalidArgumentError: of the source" in said
    assert "cannot be written" not in said
