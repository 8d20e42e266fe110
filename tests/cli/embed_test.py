"""`simclr embed` stops at a signal, and the same command goes on."""

import os
import signal

import numpy as np
import pytest

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
