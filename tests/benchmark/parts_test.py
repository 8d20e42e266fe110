"""The benchmark measures in turns and says what and where."""

import json

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.benchmark import benchmark, jpeg_files, loss, memory, pretraining, views
from simclr_tf.benchmark.photos import photos as squares
from simclr_tf.benchmark.process import measure_apart, time_and_peak
from simclr_tf.benchmark.timing import Contender, Measured, drain, measure
from simclr_tf.cli.main import main
from simclr_tf.data import load
from simclr_tf.errors import UserError
from tools.benchmark import with_peers

pytestmark = pytest.mark.slow


def test_contenders_run_in_turns_and_the_first_round_does_not_count():
    begun, ran = [], []

    def contender(who):
        def begin():
            begun.append(who)
            return lambda: ran.append(who)

        return Contender(who, begin, 8)

    made = measure("job", [contender("a"), contender("b")], repeats=3)
    assert begun == ran == ["a", "b"] * 4
    assert [row.who for row in made] == ["a", "b"]
    for row in made:
        assert row.images_per_second == pytest.approx(8 / row.seconds)


def test_a_pipeline_is_begun_anew_for_each_run():
    begin = drain(tf.data.Dataset.range(100), batches=5)
    first, second = begin(), begin()
    first()
    second()
    short = drain(tf.data.Dataset.range(7), batches=5)
    with pytest.raises(StopIteration):  # Three batches before, five measured.
        short()()


def test_a_table_is_said_and_the_same_figures_are_written(tmp_path):
    def part(source, repeats):
        assert (source.num_examples, repeats) == (50, 2)
        yield [Measured("a job", "ours", 2.0, 8.0), Measured("a job", "theirs", 5.0)]
        yield [Measured("another", "ours", 1.0, peak_gib=0.25)]

    said, output = [], tmp_path / "figures.json"
    told = benchmark(
        ["made up"],
        measures={"made up": part},
        dataset="shapes:50",
        repeats=2,
        output=str(output),
        say=said.append,
    )
    assert json.loads(output.read_text()) == told
    assert f"TensorFlow {tf.__version__}" in said[0]
    assert said[1:] == [
        "\nmade up: a job",
        f"  {'ours':<32}     2.000 s           8 images/s",
        f"  {'theirs':<32}     5.000 s   2.50 x the time of ours",
        "\nmade up: another",
        f"  {'ours':<32}     1.000 s      0.25 GiB",
    ]
    assert [(row["part"], row["who"]) for row in told["measured"]] == [
        ("made up", "ours"),
        ("made up", "theirs"),
        ("made up", "ours"),
    ]


def test_readers_see_the_old_figures_or_the_new(tmp_path, monkeypatch):
    def part(source, repeats):
        yield [Measured("a job", "ours", 2.0)]
        with monkeypatch.context() as broken:  # No further file can be written.
            broken.setattr(tf.io.gfile, "rename", _fails)
            yield [Measured("another", "ours", 1.0)]

    output = tmp_path / "figures.json"
    with pytest.raises(UserError, match="cannot be written: disk is full"):
        benchmark(
            ["p"], measures={"p": part}, output=str(output), say=lambda line: None
        )
    assert [row["job"] for row in json.loads(output.read_text())["measured"]] == [
        "a job"
    ]
    assert list(tmp_path.iterdir()) == [output]


def _fails(*_, **__):
    raise tf.errors.ResourceExhaustedError(None, None, "disk is full")


def test_memory_is_that_of_a_run_beyond_what_was_there():
    def run():
        return np.ones([64, 2**20], np.float32).sum()  # 0.25 GiB

    assert 0.24 < time_and_peak(run, repeats=1)["peak_gib"] < 0.5


def test_a_process_of_its_own_answers_in_its_last_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "good.py").write_text(
        "import sys; print('noise'); print('{\"seconds\": ' + sys.argv[1] + '}')"
    )
    assert measure_apart("good", 3) == {"seconds": 3}
    (tmp_path / "bad.py").write_text("raise SystemExit('no memory left')")
    with pytest.raises(OSError, match="bad 3 failed: no memory left"):
        measure_apart("bad", 3)


def test_forms_of_the_loss_are_measured_up_to_their_limits(monkeypatch):
    ran = []

    def apart(module, *arguments):
        ran.append((module, *arguments))
        return {"seconds": 0.5, "peak_gib": 0.1}

    monkeypatch.setattr(loss, "measure_apart", apart)
    others = {"published form": loss.OtherLoss("some.module", 2048)}
    small, large = loss.measure_losses(3, [1024, 32768], others)
    assert [row.who for row in small] == ["simclr_tf", "published form"]
    assert [row.who for row in large] == ["simclr_tf"]
    assert {(row.job, row.size) for row in large} == {("32,768 views", 32768)}
    assert ran == [
        ("simclr_tf.benchmark.loss", 1024, 3),
        ("some.module", 1024, 3),
        ("simclr_tf.benchmark.loss", 32768, 3),
    ]


def test_a_loss_is_differentiated_by_both_views():
    seen = []

    def form(z_a, z_b):
        seen.append((z_a.shape, z_b.shape))
        return tf.reduce_sum(z_a * z_b)

    figures = loss.time_loss(form, 16, repeats=1)
    assert seen == [((8, 128), (8, 128))]
    assert set(figures) == {"seconds", "peak_gib"}


def test_ways_to_save_memory_are_steps_of_one_job(monkeypatch):
    monkeypatch.setattr(
        memory, "measure_apart", lambda *_: {"seconds": 2.0, "peak_gib": 1.0}
    )
    (rows,) = memory.measure_memory(1, images=64)
    assert len({row.job for row in rows}) == 1
    assert len({row.who for row in rows}) == len(rows) == 6
    assert {row.images_per_second for row in rows} == {32.0}


@pytest.fixture
def few(tmp_path):
    """Five images of 32 pixels."""
    images = np.random.default_rng(0).integers(0, 256, [5, 32, 32, 3], np.uint8)
    np.savez(tmp_path / "few.npz", images=images)
    return load(f"npz:{tmp_path / 'few.npz'}")


def test_a_pretraining_takes_turns_with_other_steps(monkeypatch, few):
    ran = []

    def pretrain(recipe, run, say):
        assert (recipe.batch_size, recipe.epochs, recipe.early_share) == (64, 2, 0.0)
        ran.append("pretrain")
        return {"images_per_second": 32.0}

    monkeypatch.setattr(pretraining, "pretrain", pretrain)
    monkeypatch.setattr(pretraining, "precisions", lambda: ("float32",))
    monkeypatch.setattr(pretraining, "_STEPS", 2)
    others = lambda pairs, width: {"other": lambda: ran.append(pairs.shape)}  # noqa: E731
    ((ours, other),) = pretraining.measure_pretraining(few, 2, others)
    assert (ours.who, ours.seconds, ours.images_per_second) == (
        "simclr pretrain",
        2.0,
        32.0,
    )
    assert other.who == "other"
    assert ran == ["pretrain", *[(64, 2, 32, 32, 3)] * 3] * 2


def test_photos_come_again_where_there_are_few(few):
    images = squares(few, 12, 16)
    assert images.dtype == tf.uint8
    assert images.shape == (12, 16, 16, 3)
    np.testing.assert_array_equal(images[5:10], images[:5])
    assert not np.array_equal(images[0], images[1])


@pytest.mark.exhaustive
def test_all_ways_make_views_of_ones_own_images(photos, tmp_path, monkeypatch):
    tiny = views.ViewsJob(32, 32, True, 4, 1)
    monkeypatch.setattr(views, "_JOBS", {"32 px": tiny})
    monkeypatch.setattr(views, "BLUR", views.ViewsJob(32, 32, True, 4, 1))
    monkeypatch.setattr(jpeg_files, "_BATCHES", {32: 1})
    made = {}

    def first_batch(data, batches):
        made[len(made)] = next(iter(data))
        return lambda: lambda: None

    for module in (views, jpeg_files):
        monkeypatch.setattr(module, "drain", first_batch)
    source = load(f"folder:{photos}", labels=False)
    parts = with_peers.measures()
    rows = [row for part in ("views", "jpeg_files") for row in parts[part](source, 1)]
    who = [[row.who for row in job] for job in rows]
    device, stock = "simclr_tf, device form", "stock keras-cv layers"
    published = ["published way", "published way, blur where drawn"]
    assert who == [
        ["simclr_tf, host", device, *published, stock],
        ["simclr_tf, host", *published, stock],
        ["simclr_tf", "published way", "published way, decoding each crop"],
    ]
    assert len(made) == 12
    for pairs in made.values():
        pairs = pairs["views"] if isinstance(pairs, dict) else pairs
        # Blurring alone keeps the layout of one image's planes, `[2B, H, C, W]`.
        assert pairs.shape[1:] in ((2, 32, 32, 3), (32, 3, 32))
        assert pairs.dtype == tf.float32
        assert -0.01 <= tf.reduce_min(pairs) < tf.reduce_max(pairs) <= 1.01


def test_a_png_by_the_name_of_a_jpeg_is_passed_over(photos, tmp_path):
    image = tf.io.decode_jpeg(next(photos.glob("train/*/*.jpg")).read_bytes())
    folder = tmp_path / "images"
    for place in range(3):
        encode = tf.io.encode_png if place == 1 else tf.io.encode_jpeg
        tf.io.write_file(str(folder / f"{place}.jpg"), encode(image))
    source = load(f"folder:{folder}", labels=False)
    assert jpeg_files._put_files(source, str(tmp_path)) == "2 JPEG files"


def test_no_repeats_measure_nothing():
    with pytest.raises(UserError, match="at least 1, got 0"):
        benchmark(["loss"], repeats=0)


def test_an_unknown_part_is_named(capsys, tmp_path):
    assert main(["benchmark", "--parts=flops", f"--output={tmp_path / 'x'}"]) == 2
    assert "no part 'flops'" in capsys.readouterr().err
    assert main(["benchmark", "--parts=", f"--output={tmp_path / 'x'}"]) == 2
    assert "at least one part" in capsys.readouterr().err


def test_where_it_cannot_write_it_does_not_measure(capsys, tmp_path):
    (tmp_path / "nowhere").write_text("a file where a folder would have to be")
    output = tmp_path / "nowhere" / "x.json"
    assert main(["benchmark", "--parts=loss", f"--output={output}"]) == 2
    captured = capsys.readouterr()
    assert "nowhere" in captured.err
    assert "views" not in captured.out
