"""A vision transformer of the published sizes, trained and exported like any other."""

import json
import math
import shutil

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.cli.main import main
from simclr_tf.encoder import VisionTransformer, capabilities_of, make_encoder
from simclr_tf.errors import UserError
from simclr_tf.training import Recipe, RunFolder
from simclr_tf.training.build import build_model, build_optimizer

pytestmark = pytest.mark.slow

_IMAGES = np.random.default_rng(0).random([3, 8, 8, 3])


def _small(**settings):
    return VisionTransformer(4, width=12, depth=2, heads=3, **settings)


def _count(width, patch_size, image_size):
    """Parameters by the paper's description, layer by layer; 12 blocks."""
    places = (image_size // patch_size) ** 2 + 1
    patches = patch_size**2 * 3 * width + width
    attention = 4 * (width * width + width)
    perceptron = 2 * 4 * width * width + 4 * width + width
    norms = 2 * 2 * width
    blocks = 12 * (attention + perceptron + norms)
    return patches + width + places * width + blocks + 2 * width


@pytest.mark.parametrize(
    ("name", "width", "published"),
    [
        ("vit_tiny16", 192, 5_524_416),
        pytest.param("vit_small16", 384, 21_665_664, marks=pytest.mark.exhaustive),
        pytest.param("vit_base16", 768, 85_798_656, marks=pytest.mark.exhaustive),
    ],
)
def test_it_has_the_published_number_of_parameters(name, width, published):
    with tf.Graph().as_default():
        encoder = make_encoder(name, image_size=224)
        features = encoder(tf.zeros([2, 224, 224, 3]))
        assert features.shape == [2, width]
        assert encoder.count_params() == published == _count(width, 16, 224)


def _reference(encoder, images):
    """The forward pass in NumPy, from the paper's equations 1 to 4."""
    weights = {v.name.split(":")[0]: v.numpy() for v in encoder.weights}
    weights = {n.partition("/")[2]: w for n, w in weights.items()}

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6)
        return x * weights[f"{name}/gamma"] + weights[f"{name}/beta"]

    def dense(x, name):
        return x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"]

    def gelu(x):
        return x * 0.5 * (1.0 + np.vectorize(math.erf)(x / np.sqrt(2.0)))

    count, side = len(images), encoder.patch_size
    grid = images.shape[1] // side
    cut = images.reshape(count, grid, side, grid, side, 3).transpose(0, 1, 3, 2, 4, 5)
    kernel = weights["patches/kernel"].reshape(-1, encoder.width)
    x = (2.0 * cut.reshape(count, grid**2, -1) - 1.0) @ kernel
    x = x + weights["patches/bias"]
    token = np.repeat(weights["tokens/class_token"], count, 0)
    x = np.concatenate([token, x], 1) + weights["tokens/position_embedding"]
    for block in range(1, encoder.depth + 1):
        name = f"block_{block}"
        y = dense(norm(x, f"{name}/norm_1"), f"{name}/query_key_value")
        heads = np.split(y.reshape(*y.shape[:2], 3, encoder.heads, -1), 3, 2)
        q, k, v = (each[:, :, 0].swapaxes(1, 2) for each in heads)
        scores = np.exp(q @ k.swapaxes(2, 3) / np.sqrt(q.shape[-1]))
        mixed = scores / scores.sum(-1, keepdims=True) @ v
        x = x + dense(mixed.swapaxes(1, 2).reshape(x.shape), f"{name}/projection")
        y = gelu(dense(norm(x, f"{name}/norm_2"), f"{name}/hidden"))
        x = x + dense(y, f"{name}/output")
    return norm(x[:, 0], "norm")


def test_it_is_the_papers_function_in_float64():
    tf.keras.backend.set_floatx("float64")
    encoder = _small()
    encoder(_IMAGES)
    rng = np.random.default_rng(1)  # Biases are not zero, so that each is tested.
    encoder.set_weights([rng.normal(0, 0.5, w.shape) for w in encoder.get_weights()])
    features = encoder(_IMAGES)
    assert features.dtype == tf.float64
    np.testing.assert_allclose(features, _reference(encoder, _IMAGES), atol=1e-12)


def test_mixed_precision_keeps_softmax_and_norm_in_float32():
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    encoder = _small()
    graph = tf.function(encoder).get_concrete_function(tf.TensorSpec([2, 8, 8, 3]))
    kinds = {}
    for operation in graph.graph.get_operations():
        for output in operation.outputs:
            kinds.setdefault(operation.type, set()).add(output.dtype)
    assert kinds["Softmax"] == {tf.float32}
    assert kinds["Rsqrt"] == {tf.float32}
    assert kinds["MatMul"] | kinds["Conv2D"] == {tf.bfloat16}
    np.testing.assert_allclose(
        tf.cast(encoder(_IMAGES.astype("float32")), tf.float32),
        _reference(encoder, _IMAGES),
        atol=0.05,
    )


def test_gradients_are_those_of_xla_and_of_rematerialization():
    tf.keras.backend.set_floatx("float64")
    encoder, other = _small(), _small(rematerialize=True)
    images = tf.constant(_IMAGES)
    encoder(images), other(images)
    other.set_weights(encoder.get_weights())

    def gradients(model):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(images, training=True)[:, 0] ** 2)
        return tape.gradient(loss, model.trainable_variables)

    compiled = tf.function(lambda: gradients(other), jit_compile=True)()
    for expected, found in zip(gradients(encoder), compiled):
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_it_is_saved_and_loaded(tmp_path):
    encoder = _small()
    images = tf.constant(_IMAGES, tf.float32)
    features = encoder(images)
    encoder.save(tmp_path / "encoder.keras")
    again = tf.keras.models.load_model(tmp_path / "encoder.keras")
    np.testing.assert_allclose(again(images), features, atol=1e-6)


def test_built_twice_it_has_its_weights_once():
    encoder = _small()
    encoder(tf.zeros([1, 8, 8, 3]))
    weights = len(encoder.weights)
    encoder.tokens.build([None, 4, encoder.width])
    assert len(encoder.weights) == weights


def test_images_of_another_size_are_refused():
    encoder = _small()
    encoder(tf.zeros([1, 8, 8, 3]))
    with pytest.raises(UserError, match=r"positions for 4 patches, .* have 9"):
        encoder(tf.zeros([1, 12, 12, 3]))
    with pytest.raises(UserError, match="multiples of its patches, 4 px, got 9x8"):
        encoder(tf.zeros([1, 9, 8, 3]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": 40}, "image_size must be a multiple of 16 for vit_tiny16"),
        ({"early_share": 0.5}, "early_share must be 0 with vit_tiny16"),
        ({"method": "jigsaw"}, "takes images of one size"),
    ],
)
def test_a_recipe_is_refused_before_any_work(change, message):
    with pytest.raises(UserError, match=message):
        Recipe(**{"image_size": 32, "encoder": "vit_tiny16", **change}).resolve()
    assert Recipe(image_size=32, encoder="vit_tiny16").resolve().early_share == 0.0


def small_vit(image_size):
    """For recipes: the encoder of the command line, but for its sizes."""
    return VisionTransformer(4, width=12, depth=1, heads=3, name="encoder")


small_vit.capabilities = capabilities_of("vit_tiny4")


@pytest.mark.parametrize("optimizer", ["lars", "sgd", "adamw"])
def test_positions_norms_and_biases_do_not_decay(optimizer):
    """Of a gradient of zero, an optimizer's step is its weight decay alone."""
    recipe = Recipe(
        image_size=8,
        encoder=f"{__name__}:small_vit",
        optimizer=optimizer,
        weight_decay=0.5,
        learning_rate=0.5,
        warmup_epochs=0,
        precision="float32",
    ).resolve()
    model = build_model(recipe)
    for variable in model.encoder.trainable_variables:
        variable.assign(tf.ones_like(variable))
    zeros = [(tf.zeros_like(v), v) for v in model.encoder.trainable_variables]
    build_optimizer(recipe, steps_per_epoch=10).apply_gradients(zeros)
    moved = {
        v.name.split("/", 1)[1].split(":")[0]
        for v in model.encoder.trainable_variables
        if not np.array_equal(v, np.ones(v.shape))
    }
    kernels = ("query_key_value", "projection", "hidden", "output")
    assert moved == {"patches/kernel", *(f"block_1/{k}/kernel" for k in kernels)}


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoder", "width"),
    [
        (f"{__name__}:small_vit", 12),
        pytest.param("vit_tiny4", 192, marks=pytest.mark.exhaustive),
    ],
)
def test_the_command_line_trains_resumes_and_exports(encoder, width, tmp_path, capsys):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, [16, 8, 8, 3], np.uint8)
    np.savez(tmp_path / "images.npz", x_train=images)
    run = tmp_path / "run"
    flags = [
        *("pretrain", f"--run={run}", f"--dataset=npz:{tmp_path / 'images.npz'}"),
        *(f"--encoder={encoder}", "--image_size=8", "--views=crop|flip", "--eval="),
        *("--epochs=2", "--batch_size=8", "--head_layers=1", "--precision=float32"),
        "--noreport",
    ]
    assert main(flags) == 0
    rows = (run / "metrics.jsonl").read_text().splitlines()
    assert json.loads(rows[-1])["step"] == 4
    again = tmp_path / "again"
    shutil.copytree(run, again)
    for file in again.glob("checkpoints/*-4.*"):
        file.unlink()
    assert main([*flags, f"--run={again}"]) == 0
    assert "Resuming after step 2" in capsys.readouterr().out
    trained, resumed = (RunFolder(str(r)).load_model().weights for r in (run, again))
    for one, other in zip(trained, resumed):
        np.testing.assert_array_equal(one, other)
    assert (
        main(["export", "--nocheck", f"--run={run}", f"--output={tmp_path / 'out'}"])
        == 0
    )
    exported = tf.saved_model.load(str(tmp_path / "out"))
    model = RunFolder(str(run)).load_model()
    np.testing.assert_allclose(exported(images), model(images), atol=1e-5)
    assert exported(np.zeros([1, 20, 30, 3], np.uint8)).shape == [1, width]
