"""`simclr embed` stops at a signal, and the same command goes on."""

import errno
import functools
import os
import signal

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import whole_files
from simclr_tf.cli import embedded
from simclr_tf.cli.main import main
from simclr_tf.embeddings import encoding
from tests import tiny

pytestmark = pytest.mark.slow


@pytest.fixture
def stopping(monkeypatch):
    """SIGTERM after the second batch, each time that `embed` encodes."""
    encode_batches = encoding.encode_batches

    def patched(*arguments):
        for number, batch in enumerate(encode_batches(*arguments), 1):
            yield batch
            if number == 2:
                os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(encoding, "encode_batches", patched)


def test_it_stops_at_a_signal_and_goes_on(
    images_npz, tmp_path, monkeypatch, capsys, stopping
):
    # A random encoder has the same weights each time; these are of its seed.
    flags = [f"--dataset=npz:{images_npz}", "--split=test", "--batch_size=200"]
    flags += ["--random", f"--encoder={tiny.NAME}", "--image_size=16"]
    output = tmp_path / "h.npz"
    output.write_text("what was there before")
    assert main(["embed", *flags, f"--output={output}"]) == 75
    # The signal comes with the third batch under way.
    said = capsys.readouterr().err
    assert "Stopped after 600 of 1,000 images" in said
    assert "The same command goes on" in said
    assert output.read_text() == "what was there before"

    # Other settings have nothing of it.
    other = [*flags, "--image_size=20", f"--output={output}"]
    assert main(["embed", *other]) == 75
    assert "it begins anew" in capsys.readouterr().out

    monkeypatch.undo()
    assert main(["embed", *flags, f"--output={output}"]) == 0
    assert "Going on after 600 of 1,000 images" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["h.npz"]
    whole = tmp_path / "whole.npz"
    assert main(["embed", *flags, f"--output={whole}"]) == 0
    with np.load(output) as a, np.load(whole) as b:
        assert sorted(a) == sorted(b) == ["classes", "features", "indices", "labels"]
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


def test_an_ending_that_is_none_is_a_mistake_at_once(tmp_path, capsys):
    assert main(["embed", "--run=nowhere", f"--output={tmp_path / 'h.txt'}"]) == 2
    said = capsys.readouterr().err
    assert "must end in one of .npz, .parquet, .csv, .tfrecord" in said


@pytest.mark.parametrize("command", ["embed", "search"])
def test_what_the_encoder_raises_is_no_error_of_writing(
    command, images_npz, tmp_path, monkeypatch, capsys
):
    def fail(*arguments):
        raise tf.errors.InvalidArgumentError(None, None, "of the encoder")

    monkeypatch.setattr(encoding, "encode_batches", fail)
    monkeypatch.setenv("SIMCLR_TF_CACHE", str(tmp_path / "cache"))
    flags = [f"--dataset=npz:{images_npz}", "--split=test", "--image_size=16"]
    flags += ["--random", f"--encoder={tiny.NAME}"]
    flags += ["--query_index=1"] if command == "search" else []
    output = tmp_path / ("found.json" if command == "search" else "h.npz")
    assert main([command, *flags, f"--output={output}"]) == 1
    said = capsys.readouterr().err
    assert "InvalidArgumentError: of the encoder" in said
    assert "simclr: " not in said


@pytest.mark.parametrize(
    ("command", "hint"),
    [("embed", "Choose another place with --output"), ("search", "--nocache does")],
)
def test_features_that_cannot_be_kept_are_told(
    command, hint, images_npz, tmp_path, monkeypatch, capsys
):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(
        "simclr_tf.cli.embedded.folder_of", lambda *_: str(tmp_path / "file" / "parts")
    )
    flags = [f"--dataset=npz:{images_npz}", "--split=test", "--image_size=16"]
    flags += ["--random", f"--encoder={tiny.NAME}"]
    flags += ["--query_index=1"] if command == "search" else []
    output = tmp_path / ("found.json" if command == "search" else "h.npz")
    assert main([command, *flags, f"--output={output}"]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert "file/parts cannot be written: " in said
    assert hint in said


@pytest.mark.parametrize("where", ["features", "table"])
def test_a_full_disk_loses_nothing_of_what_is_encoded(
    where, images_npz, tmp_path, monkeypatch, capsys
):
    """While features are kept, or while the file is written of them."""
    replace = whole_files.replace_file

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def one_part(path, contents):
        replace(path, contents)
        monkeypatch.setattr(whole_files, "replace_file", full)

    if where == "features":
        small = functools.partial(embedded.embed_source, part_bytes=1)
        monkeypatch.setattr(embedded, "embed_source", small)
        monkeypatch.setattr(whole_files, "replace_file", one_part)
    else:
        monkeypatch.setattr("simclr_tf.cli.embed.writer_for", lambda path: full)
    flags = [f"--dataset=npz:{images_npz}", "--split=test", "--image_size=16"]
    flags += ["--random", f"--encoder={tiny.NAME}", "--batch_size=400"]
    flags += [f"--output={tmp_path / 'h.npz'}"]
    assert main(["embed", *flags]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    count = "400" if where == "features" else "1,000"
    assert "No space left on device" in said
    assert f"The features of {count} of 1,000 images are kept in {tmp_path}" in said
    assert "the same command goes on from there" in said
    monkeypatch.undo()
    assert main(["embed", *flags]) == 0
    going_on = "Going on after 400 of 1,000" in capsys.readouterr().out
    assert going_on == (where == "features")
