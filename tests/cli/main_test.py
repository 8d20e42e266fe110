"""The command line finds commands, explains itself and answers for mistakes."""

import inspect
import os
import subprocess
import sys
import types

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.cli.main import COMMANDS, main
from simclr_tf.data import NOTATION
from simclr_tf.errors import UserError
from simclr_tf.training import Recipe, pretrain
from simclr_tf.version import __version__


@pytest.fixture
def images(tmp_path):
    """The notation of a dataset of 40 images."""
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "images.npz",
        x_train=rng.integers(0, 256, [40, 16, 16, 3]).astype(np.uint8),
        y_train=rng.integers(0, 4, 40),
    )
    return f"npz:{tmp_path / 'images.npz'}"


def mistake(capsys, *arguments):
    """What stderr says of a command line that must fail as the user's mistake."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    lines = captured.err.strip().splitlines()
    said = [line for line in lines if line.startswith("simclr: ")]
    assert len(said) == 1, captured.err
    return said[0]


def flags_shown(text):
    """Names of the flags that a help text describes."""
    words = [line.split()[0] for line in text.splitlines() if line.startswith("  --")]
    return {word.replace("[no]", "").partition("=")[0][2:] for word in words}


@pytest.mark.parametrize("arguments", [[], ["--help"], ["help"]])
def test_overview_names_every_command(capsys, arguments):
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    for command in COMMANDS.values():
        assert command.name in shown
        assert command.summary in shown


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"simclr {__version__}"


def test_the_commands_are_those_asked_for():
    assert set(COMMANDS) == {
        *("pretrain", "linear_eval", "knn", "embed", "export", "preview"),
        *("tpu_check", "data_service", "benchmark", "prepare", "finetune", "classify"),
        *("search", "convert", "report", "distill"),
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_the_commands_own_flags_and_defaults(capsys, name):
    assert main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    values = COMMANDS[name].parse([])
    own = set(values) - {"help", "undefok"}
    assert flags_shown(shown) == own
    assert not own & {"v", "verbosity", "logtostderr", "pdb", "alsologtostderr"}
    assert COMMANDS[name].work.example in shown
    assert shown.count(NOTATION) == ("dataset" in own)
    for flag in own - {"flagfile"}:
        default = values[flag].default
        if default is not None and not isinstance(default, bool):
            assert f"(default: {default})" in shown


def test_pretrain_has_a_flag_for_every_setting_and_for_where_to_run():
    own = set(COMMANDS["pretrain"].parse([])) - {"help", "undefok", "flagfile", "debug"}
    places = {"run", "strategy", "tpu", "logical_devices", "connect_timeout"}
    saving = {
        "checkpoint_minutes",
        "checkpoint_steps",
        "accept_changed_data",
        "check_images",
    }
    others = {"log_every", "data_service", "minutes", "report"}
    assert own == {*places, *saving, *others, *Recipe.__dataclass_fields__}


def test_a_state_is_saved_every_five_minutes_unless_said_otherwise():
    assert COMMANDS["pretrain"].parse([]).checkpoint_minutes == 5
    assert inspect.signature(pretrain).parameters["checkpoint_minutes"].default == 5


def test_a_mistyped_command_gets_a_suggestion(capsys):
    assert "Did you mean pretrain?" in mistake(capsys, "pretrian")


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_flag_is_named(capsys, name):
    said = mistake(capsys, name, "--batchsize=3")
    assert "batchsize" in said
    assert f"simclr {name} --help" in said


@pytest.mark.parametrize(
    ("argument", "wanted"),
    [
        ("--epochs=many", "epochs"),
        ("--epochs=0", "epochs must be 1 or more, got 0"),
        ("--precision=float8", "float16"),
        ("--optimizer=adam", "lars"),
        ("--temperature=0", "temperature must be above 0"),
        ("--head_layers=4", "head_layers must be 0 to 3"),
        ("--batch_size=41", "choose a batch of at most that many"),
        ("--batch_size=1", "batch_size must be 2 or more"),
        ("--warmup_epochs=200", "warmup_epochs must be at most epochs, 100"),
        ("--encoder=resnet19", "resnet18"),
        ("--early_share=1.5", "early_share must be 0 to 1"),
        ("--flagfile=nowhere.txt", "nowhere.txt"),
        ("stray", "'stray' is no flag"),
    ],
)
def test_a_bad_value_is_named_before_a_run_is_begun(
    capsys, tmp_path, images, argument, wanted
):
    run = tmp_path / "run"
    said = mistake(
        capsys,
        *("pretrain", f"--run={run}", f"--dataset={images}", "--batch_size=8"),
        argument,
    )
    assert wanted in said
    assert not run.exists()


@pytest.mark.parametrize(
    ("dataset", "wanted"),
    [
        ("folder:nowhere", "nowhere is no folder"),
        ("npz:nowhere.npz", "nowhere.npz"),
        ("tfrecord:nowhere*.tfrecord", "nowhere"),
        ("shapes:no", "positive integer"),
        ("cifar10", "folder:PATH"),
        ("folder:", "names nothing"),
    ],
)
def test_a_bad_dataset_is_named(capsys, tmp_path, dataset, wanted):
    said = mistake(
        capsys, "pretrain", f"--run={tmp_path / 'r'}", f"--dataset={dataset}"
    )
    assert wanted in said
    assert not (tmp_path / "r").exists()


def test_an_empty_folder_is_an_error_that_says_which_files_are_wanted(capsys, tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    said = mistake(capsys, "preview", f"--dataset=folder:{tmp_path}")
    assert "holds no images (jpg" in said
    assert "1 .txt" in said


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["knn"], "Name one encoder: --run=FOLDER"),
        (["knn", "--run=a", "--saved_model=b"], "Name one encoder: --run=FOLDER"),
        (["embed", "--random"], "Name one encoder: --run=FOLDER"),
        (["export", "--saved_model=b"], "--saved_model is exported already"),
        (["linear_eval", "--published=a"], "a is no checkpoint of the published code"),
        (["knn", "--run=nowhere"], "nowhere holds no run"),
        (["embed", "--saved_model=nowhere"], "nowhere is no SavedModel"),
    ],
)
def test_an_encoder_has_to_be_named_once_and_be_there(
    capsys, tmp_path, monkeypatch, arguments, wanted
):
    monkeypatch.chdir(tmp_path)
    assert wanted in mistake(capsys, *arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["embed", "--run=nowhere"],
        ["knn", "--run=nowhere"],
        ["linear_eval", "--run=nowhere"],
        ["export", "--run=nowhere"],
        ["preview", "--dataset=folder:nowhere"],
        ["report", "nowhere"],
        ["tpu_check", "--temperature=0"],
        ["benchmark", "--parts=nothing"],
    ],
)
def test_output_that_cannot_be_written_is_told_before_any_work(
    capsys, tmp_path, arguments
):
    (tmp_path / "file").write_text("in the way")
    output = tmp_path / "file" / "result"
    said = mistake(capsys, *arguments, f"--output={output}")
    assert f"Cannot write {output}: " in said
    assert (tmp_path / "file").read_text() == "in the way"


FLOATS = [
    (name, flag)
    for name, command in COMMANDS.items()
    for flag in command.parse([])
    if command.parse([])[flag].flag_type() == "float"
]


@pytest.mark.parametrize(("name", "flag"), FLOATS)
def test_no_flag_takes_what_is_no_finite_number(capsys, name, flag):
    for value in ("nan", "inf", "-inf"):
        said = mistake(capsys, name, f"--{flag}={value}")
        assert flag in said
        assert value in said


def test_there_are_flags_of_floats_to_try():
    assert ("pretrain", "connect_timeout") in FLOATS
    assert ("knn", "temperature") in FLOATS


@pytest.mark.parametrize("name", ["knn", "linear_eval", "embed", "export"])
@pytest.mark.parametrize("flag", ["image_size", "batch_size"])
def test_a_count_is_at_least_one(capsys, name, flag):
    for value in ("0", "-3"):
        said = mistake(capsys, name, f"--{flag}={value}")
        assert flag in said
        assert value in said


@pytest.mark.parametrize("flag", ["batch_size", "seed", "epochs"])
def test_a_huge_integer_is_a_mistake(capsys, flag):
    assert f"--{flag} must be below" in mistake(
        capsys, "pretrain", f"--{flag}={10**30}"
    )


def test_a_flagfile_that_is_no_text_is_a_mistake(capsys, tmp_path):
    path = tmp_path / "flags.txt"
    path.write_bytes(b"--epochs=3\n\xff\xfe")
    assert "utf-8" in mistake(capsys, "pretrain", f"--flagfile={path}")


@pytest.mark.parametrize("form", ["--flagfile={}", "--flagfile {}", "-flagfile={}"])
def test_a_flagfile_of_the_users_own_is_no_commands(capsys, tmp_path, form):
    path = tmp_path / "mine.txt"
    path.write_text("--gone=1\n")
    said = mistake(capsys, "finetune", *form.format(path).split())
    assert "no flag --gone" in said
    assert "is of simclr" not in said


def test_of_a_mistake_found_while_tracing_the_cause_is_told(capsys, monkeypatch):
    @tf.function
    def traced():
        raise UserError("labels are few: give more")

    command = types.SimpleNamespace(parse=list, run=lambda values: traced())
    monkeypatch.setattr("simclr_tf.cli.main._find", lambda name: command)
    assert mistake(capsys, "any") == "simclr: labels are few: give more"


def test_of_a_mistake_found_in_a_layer_the_cause_is_told(capsys, monkeypatch):
    class Layer(tf.keras.layers.Layer):
        def call(self, images):
            raise UserError("images are small: give larger ones")

    command = types.SimpleNamespace(
        parse=list, run=lambda values: tf.function(Layer())(tf.zeros([2, 3]))
    )
    monkeypatch.setattr("simclr_tf.cli.main._find", lambda name: command)
    assert mistake(capsys, "any") == "simclr: images are small: give larger ones"


@pytest.mark.parametrize(
    "error",
    [
        ValueError("of another package"),
        OSError("no space"),
        tf.errors.InvalidArgumentError(None, None, "of a graph"),
        KeyError("name\x1b[31m"),
    ],
)
def test_a_defect_shows_its_traceback_and_how_to_report_it(capsys, monkeypatch, error):
    def work(values):
        raise error

    command = types.SimpleNamespace(parse=list, run=work)
    monkeypatch.setattr("simclr_tf.cli.main._find", lambda name: command)
    assert main(["any"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("Traceback (most recent call last):")
    assert "in work\n    raise error" in told
    assert type(error).__name__ in told
    assert 'README, "Reporting a defect"' in told
    assert f"simclr_tf {__version__}, TensorFlow {tf.__version__}, Python 3." in told
    assert "\x1b" not in told


def test_names_from_disk_are_escaped_in_what_is_said(capsys):
    said = mistake(capsys, "embed", "--saved_model=a\x1b[31m")
    assert said.startswith(r"simclr: a\x1b[31m is no SavedModel")


@pytest.mark.parametrize(
    "command", [["pretrian"], ["knn"], ["knn", "--run=nowhere"], ["knn", "--kk=3"]]
)
def test_debug_shows_where_a_mistake_was_found(capsys, command):
    assert main(command) == 2
    line = capsys.readouterr().err
    assert main([*command, "--debug"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("Traceback (most recent call last):")
    assert told.endswith(f"\n{line}")


def test_the_command_comes_first(capsys):
    assert "The command comes first" in mistake(capsys, "--dataset=shapes", "pretrain")


@pytest.mark.parametrize("argument", ["--epochs={x}", "--epochs={5}", "--method={}"])
def test_braces_in_a_value_are_told_as_they_are(capsys, argument):
    said = mistake(capsys, "pretrain", "--dataset=shapes", argument)
    assert argument.partition("=")[2] in said


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("linear-eval", "linear_eval"),
        ("eval", "linear_eval"),
        ("train", "pretrain"),
        ("visualise", "preview"),
        ("Fine-Tune", "finetune"),
    ],
)
def test_a_command_by_another_name_gets_a_suggestion(capsys, typed, meant):
    assert mistake(capsys, typed).endswith(f"Did you mean {meant}?")


@pytest.mark.parametrize(
    ("argument", "status"), [("--help", 0), ("--version", 0), ("pretrian", 2)]
)
def test_what_needs_no_tensorflow_is_answered_at_once(argument, status):
    program = (
        "import atexit, sys\n"
        "sys.argv[0] = 'simclr'\n"
        "heavy = {'tensorflow', 'numpy'}\n"
        "atexit.register(lambda: print(heavy & set(sys.modules)))\n"
        "from simclr_tf.cli.main import run\n"
        "run()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, argument],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process.stdout as stdout:
        shown = stdout.read()
    _, waited, usage = os.wait4(process.pid, 0)
    assert os.WEXITSTATUS(waited) == status
    assert shown.splitlines()[-1] == "set()"
    assert usage.ru_utime + usage.ru_stime < 0.5


@pytest.mark.slow
def test_the_process_answers_without_noise(tmp_path):
    """`python -m simclr_tf` as a shell runs it: its own words and no one else's."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("TF_")
    }
    asked = subprocess.run(
        [sys.executable, "-m", "simclr_tf", "knn", f"--run={tmp_path}"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert asked.returncode == 2
    assert asked.stdout == ""
    said = asked.stderr.splitlines()
    assert len(said) == 1
    assert said[0].startswith(f"simclr: {tmp_path} holds no run")
