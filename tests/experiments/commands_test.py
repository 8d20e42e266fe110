"""The command line that experiments share."""

import os

import pytest

from experiments.commands import Commands, launch, parsed, runs_parser

NAMES = ("one", "two")


def test_datasets_come_by_name_and_other_flags_go_on():
    line = ["runs", "one=npz:a=b.npz", "two=folder:c", "--seeds=3,1", "--epochs=2"]
    options, flags = parsed(runs_parser(None), line, NAMES)
    assert options.datasets == {"one": "npz:a=b.npz", "two": "folder:c"}
    assert options.seeds == (3, 1)
    assert flags == ["--epochs=2"]


@pytest.mark.parametrize(
    "datasets", [["three=a"], ["one"], ["one="], ["one=a", "one=b"]]
)
def test_what_names_no_dataset_is_told(datasets, capsys):
    with pytest.raises(SystemExit):
        parsed(runs_parser(None), ["runs", *datasets], NAMES)
    assert (
        f"one of one, two, once, = DATASET: {datasets[-1]}" in capsys.readouterr().err
    )


def test_by_default_there_are_no_more_jobs_than_cores():
    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, [min(cores)])
        options, _ = parsed(runs_parser(None), ["runs", "one=a"], {"one"})
        Commands(options.jobs, launch)
    finally:
        os.sched_setaffinity(0, cores)
    assert options.jobs == 1
