"""The comparison of recipes: cells, commands, results that are not run again."""

import json
import pathlib

import pytest

from experiments.recipes import run

ARGUMENTS = ["caltech101=folder:caltech101/train", "--minutes=5", "--precision=float32"]


def _pretend(ran, stop_after=None):
    """Writes what the commands of `simclr` write."""

    def launch(arguments, log, cores):
        if stop_after is not None and len(ran) >= stop_after:
            return 75
        ran.append(arguments)
        command = arguments[0]
        folder = next(each for each in arguments if each.startswith("--run="))
        folder = pathlib.Path(folder.partition("=")[2])
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{command}_random" if "--random" in arguments else command
        if command == "pretrain":
            name, wrote = "result", {"epochs": 9, "steps": 90, "seconds": 300.0}
            wrote.update(images_per_second=10.0, versions={})
        else:
            wrote = {"top1": 0.2 if name == "knn_random" else 0.6}
        (folder / f"{name}.json").write_text(json.dumps(wrote))
        return 0

    return launch


def test_each_cell_is_run_judged_and_kept_as_a_line(tmp_path, capsys):
    ran = []
    run.main([str(tmp_path), *ARGUMENTS], _pretend(ran))
    lines = (tmp_path / "results.jsonl").read_text().splitlines()
    cells = len(run.LARGE) * len(run.EARLY_SHARES)
    assert len(lines) == cells
    assert [each[0] for each in ran] == cells * [
        "pretrain",
        "knn",
        "linear_eval",
        "knn",
    ]
    assert {"--minutes=5", "--early_share=0.75", "--precision=float32"} < set(ran[4])
    row = json.loads(lines[0])
    assert (row["knn"], row["random_knn"], row["epochs"]) == (0.6, 0.2, 9)
    shown = capsys.readouterr().out
    assert "## caltech101, 5 minutes" in shown
    assert "| resnet18x0.25 | 64 | 0.0 | 0.600 | 0.600 | 9 | 300 |" in shown
    assert "20-NN of random encoders: 0.200" in shown

    # More seeds add their cells, and nothing is run again.
    run.main([str(tmp_path), *ARGUMENTS, "--seeds=0,1"], _pretend(ran))
    assert len(ran) == 2 * 4 * cells
    run.main([str(tmp_path), *ARGUMENTS], _pretend(ran))
    assert len(ran) == 2 * 4 * cells


def test_more_minutes_are_for_the_best_of_fewer_and_the_next_dearer():
    options = _options("--narrow")

    def row(encoder, size, share, knn, minutes=5, name="caltech101"):
        cell = run.Cell(name, minutes, encoder, size, share, 0)
        return {**cell._asdict(), "knn": knn}

    rows = [
        row("resnet18x0.25", 64, 0.0, 0.5),
        row("resnet18x0.5", 96, 0.75, 0.7),
        row("resnet18", 96, 0.75, 0.6),
        row("resnet18", 128, 0.75, 0.9, name="shapes"),
    ]

    def tried(minutes, options=options):
        found = run.cells(options, minutes, rows)
        return [(each.encoder, each.image_size, each.early_share) for each in found]

    assert tried(12) == [("resnet18x0.5", 96, 0.75), ("resnet18", 96, 0.75)]
    assert len(tried(5)) == len(tried(12, _options())) == 2 * len(run.LARGE)
    rows.append(row("resnet18", 128, 0.0, 0.8, minutes=12))
    assert tried(40) == [("resnet18", 128, 0.0)]  # The last has none dearer.


def test_a_run_that_was_stopped_goes_on(tmp_path):
    ran = []
    with pytest.raises(SystemExit, match="failed: see"):
        run.main([str(tmp_path), *ARGUMENTS], _pretend(ran, stop_after=6))
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 1
    run.main([str(tmp_path), *ARGUMENTS], _pretend(ran))
    commands = [tuple(each) for each in ran]
    assert len(set(commands)) == len(commands) == 4 * len(run.cells(_options(), 5))


def _options(*more):
    return run._parse(["runs", *ARGUMENTS, *more])[0]


def test_other_images_are_refused(capsys):
    with pytest.raises(SystemExit):
        run.main(["runs", "photos=folder:photos"])
    assert "a dataset is one of cifar10_10k" in capsys.readouterr().err
