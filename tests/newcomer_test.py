"""A newcomer's parts, each one file outside the package, used by the real commands.

ARCHITECTURE.md, "To add something", tells the same.
"""

import contextlib
import importlib
import io
import itertools
import json
import sys
import textwrap

import numpy as np
import pytest

from simclr_tf.augmentation import parse_views
from simclr_tf.cli.main import main
from simclr_tf.training import Recipe, RunFolder
from tests import tiny

pytestmark = pytest.mark.slow
_names = (f"newcomer_{count}" for count in itertools.count())


@pytest.fixture(scope="module")
def write(tmp_path_factory):
    """Writes a module outside the package; gives its name, a new one each time."""
    folder, written = tmp_path_factory.mktemp("parts"), []

    def write_module(text):
        written.append(next(_names))
        (folder / f"{written[-1]}.py").write_text(textwrap.dedent(text))
        importlib.invalidate_caches()
        return written[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield write_module
    for name in written:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """40 labelled images."""
    path = tmp_path_factory.mktemp("images") / "a.npz"
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, [40, 12, 12, 3], np.uint8)
    np.savez(path, x_train=images, y_train=np.arange(40) % 2)
    return f"npz:{path}"


@pytest.fixture
def pretrain(images, tmp_path):
    """Runs `simclr pretrain`, two steps; gives the run folder."""
    return _pretraining(images, tmp_path / "run")


def _pretraining(images, run):
    flags = {
        "run": run,
        "dataset": images,
        "encoder": tiny.NAME,
        "image_size": 12,
        "views": "crop|flip",
        "epochs": 2,
        "batch_size": 32,
        "head_layers": 1,
        "precision": "float32",
        "eval": "knn",
        "report": "false",
    }

    def start(status=0, **changes):
        given = {**flags, **changes}
        assert main(["pretrain", *(f"--{k}={v}" for k, v in given.items())]) == status
        return run

    return start


def _last(run):
    return json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])


@pytest.fixture(scope="module")
def parts(write):
    """The names of a part of each kind, each one file."""
    return {
        "dataset": f"{write(_DATASET)}:load:40",
        "layer": f"{write(_LAYER)}:Darken(0.25)",
        "method": f"{write(_METHOD)}:Attraction",
        "evaluator": f"{write(_EVALUATOR)}:Sparsity",
        "encoder": f"{write(_ENCODER)}:encoder",
    }


@pytest.fixture(scope="module")
def run_and_words(parts, tmp_path_factory):
    """A run with all of these parts, and what it said."""
    run = tmp_path_factory.mktemp("runs") / "run"
    with contextlib.redirect_stdout(io.StringIO()) as said:
        _pretraining(parts["dataset"], run)(
            views=f"crop|flip|{parts['layer']}",
            method=parts["method"],
            eval=f"knn,{parts['evaluator']}",
            encoder=parts["encoder"],
            early_share=0,
            # Decay would take a tenth of each weight in the first step; the gradient
            # moves it by the learning rate at most.
            optimizer="adamw",
            learning_rate=1e-6,
            learning_rate_scaling="none",
            weight_decay=1e5,
            warmup_epochs=0,
        )
    return run, said.getvalue()


_LAYER = """
    import tensorflow as tf
    from simclr_tf import randomness
    from simclr_tf.augmentation import StatelessAugmentation

    class Darken(StatelessAugmentation):
        moves_pixels = False

        def __init__(self, least=0.5, **kwargs):
            super().__init__(**kwargs)
            self.least = least

        def sample(self, seeds, sizes):
            draw = randomness.uniform(seeds, self.stream, 1)[:, 0]
            return {"factor": self.least + (1.0 - self.least) * draw}

        def augment_images(self, images, transformations, **_):
            return images * transformations["factor"][:, None, None, None]
"""


def test_an_augmentation(parts, run_and_words):
    """It makes the views of training, on the host and in the flags of the run."""
    run, _ = run_and_words
    assert parts["layer"] in (run / "flags.txt").read_text()
    (layer,) = parse_views(f"crop|{parts['layer']}", 12)[1:]
    assert layer.least == 0.25
    views = layer({"images": np.ones([99, 2, 2, 3]), "seeds": np.ones([99, 2], int)})
    assert 0.25 <= np.min(views["images"]) <= np.max(views["images"]) < 1.0


_METHOD = """
    import tensorflow as tf
    from simclr_tf.head import ProjectionHead
    from simclr_tf.methods import Method

    class Attraction(Method):
        measures = ("distance",)

        def make_head(self, *, layers, hidden_dim, out_dim):
            return ProjectionHead(num_layers=layers, out_dim=out_dim)

        def objective(self, projections, labels, seeds):
            first, second = tf.split(projections, 2)
            distance = tf.reduce_mean(tf.square(first - second))
            return {"loss": distance, "distance": distance}
"""


def test_an_objective(run_and_words, capsys):
    """It trains, resumes from its own flags, and is exported."""
    run, _ = run_and_words
    row = _last(run)
    assert row["loss"] == pytest.approx(row["distance"] + row["probe_loss"])
    again = ["pretrain", f"--flagfile={run / 'flags.txt'}", f"--run={run}"]
    again.append("--noreport")
    assert main(again) == 0
    assert "All 2 steps were taken before" in capsys.readouterr().out
    assert (
        main(["export", "--nocheck", f"--run={run}", f"--output={run / 'encoder'}"])
        == 0
    )


_EVALUATOR = """
    import numpy as np
    from simclr_tf.evaluators import Evaluator

    class Sparsity(Evaluator):
        measures = ("sparsity",)
        shown = {"zeros": "sparsity"}

        def measure(self, encoded):
            share = float(np.mean(encoded.query_h <= 0.0))
            return {"sparsity": share}, "Half is zero." if share >= 0.0 else ""
"""


def test_an_evaluator(run_and_words):
    """Its values stand in metrics.jsonl and on the line of progress."""
    run, said = run_and_words
    row = _last(run)
    assert 0.0 <= row["sparsity"] <= 1.0
    assert row["knn_accuracy"] >= 0.0
    assert "zeros" in said
    assert "Half is zero." in said


_ENCODER = """
    import tensorflow as tf
    import simclr_tf

    @simclr_tf.encoder.Capabilities(takes_any_size=True, no_decay=("kernel",))
    def encoder(image_size):
        layers = tf.keras.layers
        return tf.keras.Sequential([
            layers.Conv2D(8, 3, 2, kernel_initializer="ones"),
            layers.GlobalAveragePooling2D(),
        ])
"""


def test_an_encoder(parts, run_and_words):
    """What its function says of it holds: early views by default, and no decay."""
    run, _ = run_and_words
    by_default = Recipe(image_size=12, encoder=parts["encoder"]).resolve()
    assert by_default.early_share == 0.75
    kernel = RunFolder(str(run)).load_model().encoder.weights[0]
    np.testing.assert_allclose(kernel, np.ones_like(kernel), atol=1e-4)


_DATASET = """
    import numpy as np
    import tensorflow as tf
    from simclr_tf.data import MissingSplit, Source

    class Ramps(Source):
        def read(self, indices):
            def draw(index):
                ramp = tf.range(12)[None, :, None, None] * 20
                images = tf.zeros([1, 12, 12, 3], tf.int32) + ramp
                shade = tf.cast(index % 30, tf.int32)[:, None, None, None]
                return {
                    "image": tf.cast(images + shade, tf.uint8),
                    "index": index,
                    "label": tf.cast(index % 2, tf.int32),
                }

            return indices.map(draw)

    def load(argument, split, image_size, labels):
        if split != "train":
            raise MissingSplit("ramps have no test split.")
        return Ramps(
            spec="",
            split=split,
            image_shape=(12, 12, 3),
            num_examples=int(argument),
            num_classes=2,
        )
"""


def test_a_kind_of_data_set(parts, run_and_words):
    """A fifth of it is held out, and all of it embedded."""
    run, said = run_and_words
    assert _last(run)["step"] == 2
    assert f"{parts['dataset']} (train): 32 images" in said
    output = run / "features.npz"
    assert main(["embed", f"--run={run}", f"--output={output}"]) == 0
    with np.load(output) as arrays:
        assert len(arrays["features"]) == 40
        np.testing.assert_array_equal(arrays["labels"], np.arange(40) % 2)


@pytest.mark.parametrize(
    ("text", "flags", "message"),
    [
        (_LAYER, {"views": "crop|{}:Lighten"}, "no attribute 'Lighten'"),
        (_LAYER, {"views": "crop|{}:Darken(1,2)"}, "as many as {}:Darken takes"),
        (_LAYER, {"method": "{}:Darken"}, "must be a class derived from Method"),
        (_METHOD, {"eval": "{}:Attraction"}, "must be a class derived from Evaluator"),
        (
            _DATASET,
            {"dataset": "{}:MissingSplit:1"},
            "must give a simclr_tf.data.Source",
        ),
        (_ENCODER, {"encoder": "{}:encode"}, "no attribute 'encode'"),
        (
            _ENCODER,
            {"encoder": "{}:encoder", "rematerialize": "true"},
            "rematerialize is for",
        ),
        ("x = (", {"encoder": "{}:encoder"}, "cannot be imported: SyntaxError"),
        ("1 / 0", {"method": "{}:A"}, "cannot be imported: ZeroDivisionError"),
    ],
)
def test_mistakes_are_told_before_any_work(
    text, flags, message, write, pretrain, capsys
):
    name = write(text)
    run = pretrain(status=2, **{k: v.format(name) for k, v in flags.items()})
    said = capsys.readouterr().err
    assert message.format(name) in said
    assert len(said.splitlines()) == 1
    assert not run.exists()


@pytest.mark.exhaustive
def test_a_defect_of_an_objective_is_told_as_its_own(write, pretrain, capsys):
    """Found while the step is traced; `cli/defects_test.py` has other parts."""
    name = write(_METHOD.replace("tf.square(first - second)", "tf.square(self.lost)"))
    pretrain(status=1, method=f"{name}:Attraction", eval="")
    told = capsys.readouterr().err.splitlines()[-1]
    assert f"{name}.py, line " in told
    assert "a part of your own" in told
