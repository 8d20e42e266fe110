"""Published weights load by structure and give the published numbers."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.checkpoints import load_published
from simclr_tf.encoder import ResNet
from simclr_tf.errors import UserError
from simclr_tf.head import ProjectionHead
from simclr_tf.model import SimCLR

pytestmark = pytest.mark.slow

_MODELS = {
    "r18_cifar_w025": {"depth": 18, "width_multiplier": 0.25, "cifar_stem": True},
    "r50_w00625": {"depth": 50, "width_multiplier": 0.0625},
    "r50_sk_w00625": {"depth": 50, "width_multiplier": 0.0625, "sk_ratio": 0.0625},
}


def _model(name, num_layers=3, num_classes=10, **changes):
    settings = {**_MODELS[name], **changes}
    return SimCLR(
        ResNet(**settings),
        ProjectionHead(num_layers=num_layers),
        num_classes=num_classes,
    )


@pytest.fixture(scope="module")
def built():
    """A built model for a checkpoint of its shape; no test may rely on its weights."""
    model = _model("r18_cifar_w025")
    model.build((None, 32, 32, 3))
    return model


def _changed(model, num_layers=3, num_classes=10):
    """The encoder of a model with other heads."""
    head = ProjectionHead(num_layers=num_layers)
    return SimCLR(model.encoder, head, num_classes=num_classes)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.exhaustive] if "_sk" in name else [])
        for name in _MODELS
    ],
)
def test_forward_parity(golden_folder, name, built):
    io = np.load(golden_folder / name / "io.npz")
    model = built if name == "r18_cifar_w025" else _model(name)
    loaded = load_published(str(golden_folder / name), model)
    assert loaded.unused == ()
    parts = (model.encoder, model.projection_head, model.probe)
    assert loaded.variables == sum(len(part.weights) for part in parts)
    features = model(io["images"], training=False)
    projection = model.projection_head(features, training=False)
    for ours, theirs in (
        (features, io["features"]),
        (projection, io["projection"]),
        (model.probe(features), io["logits"]),
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-4)
    trainable = sum(int(tf.size(v)) for v in model.encoder.trainable_variables)
    assert trainable == int(io["trainable"])


@pytest.mark.parametrize(
    "kind",
    [
        tf.keras.layers.Layer,
        pytest.param(tf.Module, marks=pytest.mark.exhaustive),
    ],
)
def test_reads_a_prefix_and_a_saved_model(golden_folder, tmp_path, kind, built):
    """Keras saves its layers with paths of its own to the same variables."""
    folder = golden_folder / "r18_cifar_w025"
    load_published(str(folder / "ckpt-1"), built)
    wanted = built.get_weights()
    built.set_weights([np.zeros_like(value) for value in wanted])

    reader = tf.train.load_checkpoint(str(folder))
    root = tf.Module()
    root.model = kind()
    root.trainable_variables_list = []
    for key, _ in tf.train.list_variables(str(folder)):
        if not key.startswith("model/") or ".OPTIMIZER_SLOT" in key:
            continue
        node = root.model
        *path, last = key.split("/")[1:-2]
        for name in path:
            if not hasattr(node, name):
                setattr(node, name, kind())
            node = getattr(node, name)
        variable = tf.Variable(reader.get_tensor(key))
        setattr(node, last, variable)
        root.trainable_variables_list.append(variable)
    tf.saved_model.save(root, str(tmp_path / "saved"))
    load_published(str(tmp_path / "saved"), built)
    for ours, theirs in zip(built.get_weights(), wanted):
        np.testing.assert_array_equal(ours, theirs)


def test_a_model_without_a_probe_leaves_the_supervised_head(golden_folder, built):
    model = _changed(built, num_classes=None)
    loaded = load_published(str(golden_folder / "r18_cifar_w025"), model)
    assert loaded.unused == (
        "supervised_head/linear_layer/dense/bias",
        "supervised_head/linear_layer/dense/kernel",
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"blocks": (2, 2, 2, 3)}, "missing from the checkpoint"),
        pytest.param(
            {"width_multiplier": 0.5},
            r"shape \(3, 3, 3, 16\) in the checkpoint",
            marks=pytest.mark.exhaustive,
        ),
        ({"num_layers": 2}, "linear_layers/2/.* is in the checkpoint and not"),
        ({"num_classes": 7}, r"\(128, 10\) in the checkpoint and \(128, 7\)"),
        pytest.param(
            {"sk_ratio": 0.0625, "cifar_stem": False},
            "does not match",
            marks=pytest.mark.exhaustive,
        ),
    ],
)
def test_what_does_not_match_is_named_and_nothing_is_changed(
    golden_folder, changes, message, built
):
    if changes.keys() <= {"num_layers", "num_classes"}:
        model = _changed(built, **changes)
    else:
        model = _model("r18_cifar_w025", **changes)
    model.build((None, 32, 32, 3))
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        load_published(str(golden_folder / "r18_cifar_w025"), model)
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_a_path_without_a_checkpoint_is_refused(tmp_path, built):
    with pytest.raises(ValueError, match="is no checkpoint"):
        load_published(str(tmp_path / "nothing"), built)


@pytest.mark.parametrize("ending", [".data-00000-of-00001", ".index"])
def test_a_checkpoint_cut_short_is_refused_and_nothing_is_changed(
    golden_folder, tmp_path, ending, built
):
    folder = tmp_path / "cut"
    shutil.copytree(golden_folder / "r18_cifar_w025", folder)
    path = folder / f"ckpt-1{ending}"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    before = built.get_weights()
    with pytest.raises(UserError, match=r"cut is no checkpoint .* that can be read"):
        load_published(str(folder), built)
    for old, new in zip(before, built.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_a_folder_whose_name_is_a_pattern_is_found(golden_folder, tmp_path, built):
    folder = tmp_path / "weights [v2]*"
    shutil.copytree(golden_folder / "r18_cifar_w025", folder)
    loaded = load_published(str(folder), built)
    assert loaded.variables == len(built.weights)


def test_another_checkpoint_is_refused(tmp_path, built):
    path = tf.train.Checkpoint(step=tf.Variable(1)).save(tmp_path / "other")
    with pytest.raises(ValueError, match="holds no published SimCLR model"):
        load_published(path, built)
