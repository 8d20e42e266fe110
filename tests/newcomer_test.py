"""A newcomer's parts, each one file outside the package, used by the real commands.

Each test writes the newcomer's file, puts its folder on the path, and pretrains small.
ARCHITECTURE.md, "To add something", tells the same.
"""

import importlib
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


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a module outside the package; gives its name, a new one each time."""
    monkeypatch.syspath_prepend(tmp_path)
    written = []

    def write_module(text):
        written.append(next(_names))
        (tmp_path / f"{written[-1]}.py").write_text(textwrap.dedent(text))
        importlib.invalidate_caches()
        return written[-1]

    yield write_module
    for name in written:
        sys.modules.pop(name, None)


@pytest.fixture
def pretrain(tmp_path):
    """Runs `simclr pretrain` on 40 labelled images, two steps; gives the run folder."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, [40, 12, 12, 3], np.uint8)
    np.savez(tmp_path / "a.npz", x_train=images, y_train=np.arange(40) % 2)
    run = tmp_path / "run"
    flags = {
        "run": run,
        "dataset": f"npz:{tmp_path / 'a.npz'}",
        "encoder": tiny.NAME,
        "image_size": 12,
        "views": "crop|flip",
        "epochs": 2,
        "batch_size": 32,
        "head_layers": 1,
        "precision": "float32",
        "eval": "knn",
    }

    def start(status=0, **changes):
        given = {**flags, **changes}
        assert main(["pretrain", *(f"--{k}={v}" for k, v in given.items())]) == status
        return run

    return start


def _last(run):
    return json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])


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


def test_an_augmentation(write, pretrain):
    """It makes the views of training, on the host and in the flags of the run."""
    name = write(_LAYER)
    run = pretrain(views=f"crop|flip|{name}:Darken(0.25)", eval="")
    assert f"{name}:Darken(0.25)" in (run / "flags.txt").read_text()
    (layer,) = parse_views(f"crop|{name}:Darken(0.25)", 12)[1:]
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


def test_an_objective(write, pretrain, capsys):
    """It trains, resumes from its own flags, and is exported."""
    name = write(_METHOD)
    run = pretrain(method=f"{name}:Attraction")
    row = _last(run)
    assert row["loss"] == pytest.approx(row["distance"] + row["probe_loss"])
    assert row["knn_accuracy"] >= 0.0
    again = ["pretrain", f"--flagfile={run / 'flags.txt'}", f"--run={run}"]
    assert main(again) == 0
    assert "All 2 steps were taken before" in capsys.readouterr().out
    assert main(["knn", f"--run={run}"]) == 0
    assert main(["export", f"--run={run}", f"--output={run / 'encoder'}"]) == 0


def test_an_evaluator(write, pretrain, capsys):
    """Its values stand in metrics.jsonl and on the line of progress."""
    name = write(
        """
        import numpy as np
        from simclr_tf.evaluators import Evaluator

        class Sparsity(Evaluator):
            measures = ("sparsity",)
            shown = {"zeros": "sparsity"}

            def measure(self, encoded):
                share = float(np.mean(encoded.query_h <= 0.0))
                return {"sparsity": share}, "Half is zero." if share >= 0.0 else ""
        """
    )
    run = pretrain(eval=f"knn,{name}:Sparsity")
    row = _last(run)
    assert 0.0 <= row["sparsity"] <= 1.0
    assert "knn_accuracy" in row
    said = capsys.readouterr().out
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


def test_an_encoder(write, pretrain):
    """What its function says of it holds: early views by default, and no decay."""
    name = write(_ENCODER)
    assert (
        Recipe(image_size=12, encoder=f"{name}:encoder").resolve().early_share == 0.75
    )
    # Decay would take a tenth of each weight in the first step; the gradient moves it
    # by the learning rate at most.
    run = pretrain(
        encoder=f"{name}:encoder",
        optimizer="adamw",
        learning_rate=1e-6,
        learning_rate_scaling="none",
        weight_decay=1e5,
        warmup_epochs=0,
        early_share=0,
        eval="",
    )
    output = run / "features.npz"
    assert main(["embed", f"--run={run}", f"--output={output}"]) == 0
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
                return {"image": tf.cast(images + shade, tf.uint8), "index": index}

            return indices.map(draw)

    def load(argument, split, image_size, labels):
        if split != "train":
            raise MissingSplit("ramps have no test split.")
        count = int(argument)
        return Ramps(spec="", split=split, image_shape=(12, 12, 3), num_examples=count)
"""


def test_a_kind_of_data_set(write, pretrain, capsys):
    name = write(_DATASET)
    run = pretrain(dataset=f"{name}:load:48", eval="geometry")
    assert _last(run)["step"] == 2
    assert f"{name}:load:48 (train): 48 images" in capsys.readouterr().out
    output = run / "features.npz"
    assert main(["embed", f"--run={run}", f"--output={output}"]) == 0
    with np.load(output) as arrays:
        assert len(arrays["features"]) == 48


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
