"""Verdicts beside the truth: the runs that are made, and how often they are right."""

import json
import pathlib

import pytest

from experiments.verdict import run

ARGUMENTS = ["caltech101=folder:caltech101", "--precision=float32"]
FLOORS = {"random": 0.35, "pixels": 0.40}
# 20-NN of some kinds; of all others 0.6.
MADE = {"rate_too_low": 0.35, "one_epoch": 0.43, "no_augmentation": 0.41}


def _pretend(ran):
    """Writes what the commands of `simclr` write; one verdict is wrong."""

    def launch(arguments, log, cores):
        ran.append(arguments)
        command, *flags = arguments
        folder = next(each for each in flags if each.startswith("--run="))
        folder = pathlib.Path(folder.partition("=")[2])
        folder.mkdir(parents=True, exist_ok=True)
        kind, _, seed = folder.name.rsplit("-", 2)
        knn = MADE.get(kind, 0.6)
        name, wrote = command, {"top1": knn}
        if "--random" in flags:
            name, wrote = "knn_random", {"top1": FLOORS["random"]}
        if command == "pretrain":
            learned = knn > 0.5 or (kind, seed) == ("rate_too_low", "seed1")
            verdict = {"learned": learned, "basis": "views", "reasons": []}
            name, wrote = "result", {"verdict": verdict, "seconds": 60.0}
        (folder / f"{name}.json").write_text(json.dumps(wrote))
        return 0

    return launch


def _pixels(dataset, image_size):
    assert (dataset, image_size) == ("folder:caltech101", 32)
    return FLOORS["pixels"]


def test_each_run_is_made_once_and_compared_with_what_became_of_it(tmp_path, capsys):
    ran = []
    run.main([str(tmp_path), *ARGUMENTS], _pretend(ran), _pixels)
    runs = 2 * len(run.KINDS) + len(run.LABELLED)
    trained = [each for each in ran if each[0] == "pretrain"]
    assert len(trained) == len({each[-1] for each in trained}) == runs
    assert sum("--labels" in each for each in trained) == len(run.LABELLED)
    assert all("--precision=float32" in each for each in trained)
    hot = next(each for each in trained if "temperature_50" in each[-1])
    assert {"--temperature=50", "--epochs=60", "--nolabels"} < set(hot)
    rows = json.loads((tmp_path / "results.json").read_text())
    assert len(rows) == runs
    truths = {row["kind"]: (row["truth"], row["floor"]) for row in rows}
    assert truths["defaults"] == ("good", 0.40)  # Of two floors the higher.
    assert truths["rate too low"] == truths["no augmentation"] == ("bad", 0.40)
    assert truths["one epoch"] == ("between", 0.40)

    shown = capsys.readouterr().out
    assert "| caltech101 | rate too low | no | 1 | 0.350 | 0.400 | bad | learned |" in (
        shown
    )
    # One epoch's two runs are neither, and one of the four bad ones is misjudged.
    assert f"without labels, good runs: {2 * len(run.KINDS) - 6} of " in shown
    assert "without labels, bad runs: 3 of 4 right." in shown
    assert "with labels, bad runs: 2 of 2 right." in shown

    done = len(ran)
    run.main([str(tmp_path), *ARGUMENTS], _pretend(ran), _pixels)
    assert len(ran) == done


def test_other_images_are_refused(capsys):
    with pytest.raises(SystemExit):
        run.main(["runs", "photos=folder:photos"])
    assert "a dataset is one of cifar10_10k" in capsys.readouterr().err
