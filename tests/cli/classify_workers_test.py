"""Two worker processes classify together, and the chief alone writes and speaks."""

import contextlib
import csv
import io

import numpy as np
import pytest

from simclr_tf.cli import strategy_flags
from simclr_tf.cli.main import main
from simclr_tf.distribution.crew import Crew
from simclr_tf.training import FineTuning
from tests.training.made_classifiers import make_classifier

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("replicas of workers")]


def _classify(strategy, run, dataset, folder):
    """What a worker says; each writes to a folder of its own."""
    place = Crew(strategy).task[1]
    flags = [f"--run={run}", f"--dataset={dataset}", f"--output={folder}/{place}/c.csv"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strategy_flags, "strategy", lambda values: strategy)
        with contextlib.redirect_stdout(io.StringIO()) as said:
            assert main(["classify", *flags]) == 0
    return said.getvalue()


def _rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_the_chief_alone_writes_the_answers(workers, tmp_path):
    path = tmp_path / "images.npz"
    images = np.random.default_rng(0).integers(0, 256, [15, 16, 16, 3], np.uint8)
    np.savez(path, x_train=images, y_train=np.arange(15) % 2)
    settings = FineTuning(dataset=f"npz:{path}", from_scratch=True)
    run = make_classifier(tmp_path / "run", settings, ["0", "1"])
    said = workers(_classify, run=run, dataset=f"npz:{path}", folder=str(tmp_path))
    assert "The classes of 15 images are in" in said[0]
    assert said[1] == ""
    names = {each.name for each in (tmp_path / "0").iterdir()}
    assert names == {"c.csv", "c.json", "c_confusion.png", "c_confusion.json"}
    assert not list((tmp_path / "1").glob("*"))
    flags = [f"--dataset=npz:{path}", f"--output={tmp_path / 'alone.csv'}"]
    assert main(["classify", f"--run={run}", *flags]) == 0
    alone, together = _rows(tmp_path / "alone.csv"), _rows(tmp_path / "0" / "c.csv")
    assert len(together) == 15
    for row, expected in zip(together, alone):
        probability = float(expected.pop("probability"))
        assert float(row.pop("probability")) == pytest.approx(probability, abs=1e-4)
        assert row == expected
