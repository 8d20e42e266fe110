"""The exported encoder answers like the model, wherever TensorFlow is."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.augmentation import evaluation_view
from simclr_tf.export import export_encoder
from simclr_tf.model import SimCLR

SIDE = 40
SIZES = [(40, 40), (61, 47), (24, 90)]

# Runs where neither the package nor keras-cv may be imported.
ELSEWHERE = """
import sys
import numpy as np
import tensorflow as tf

exported, given, answers = sys.argv[1:]
f = tf.saved_model.load(exported)
assert f.trainable_variables
given, got = np.load(given, allow_pickle=True), {}
for name in given.files:
    if name.startswith("jpeg"):
        got[name] = f.signatures["jpeg"](bytes=tf.constant(given[name].tolist()))
    else:
        images = tf.constant(given[name])
        got[name + "/called"] = {"features": f(images, training=False)}
        of_dtype = {tf.uint8: "serving_uint8", tf.float32: "serving_default"}
        if images.dtype in of_dtype:
            got[name] = f.signatures[of_dtype[images.dtype]](images=images)
np.savez(answers, **{
    f"{name}/{output}": value
    for name, outputs in got.items() for output, value in outputs.items()
})
assert "simclr_tf" not in sys.modules
assert "keras_cv" not in sys.modules
"""


def small_model(**arguments):
    layers = tf.keras.layers
    encoder = tf.keras.Sequential(
        [
            layers.Conv2D(8, 3, strides=2, use_bias=False, input_shape=(None, None, 3)),
            layers.BatchNormalization(),
            # Has a custom gradient.
            layers.Activation("swish"),
            layers.Conv2D(16, 3, strides=2),
            layers.Dropout(0.2),
        ]
    )
    head = tf.keras.Sequential(
        [layers.Dense(16), layers.BatchNormalization(), layers.Dense(5)]
    )
    model = SimCLR(encoder, head, **arguments)
    model.build([None, SIDE, SIDE, 3])
    for _ in range(3):
        h = model(tf.random.uniform([16, SIDE, SIDE, 3]), training=True)
        model.projection_head(h, training=True)
    return model


def photographs(height, width, count=3, seed=0):
    """Smooth uint8 images, for JPEG to have something to compress."""
    coarse = np.random.default_rng(seed).random([count, 6, 6, 3])
    smooth = tf.image.resize(coarse, [height, width], method="bicubic")
    return tf.image.convert_image_dtype(smooth, tf.uint8, saturate=True)


def expected(model, images, image_size):
    views = evaluation_view(images, image_size) if image_size else images
    h = model(views, training=False)
    z = model.projection_head(h, training=False)
    return {"features": h, "projection": tf.cast(z, h.dtype)}


def assert_answers(got, want, atol=1e-5):
    assert set(got) == {"features", "projection"}
    for name, value in got.items():
        np.testing.assert_allclose(value, want[name], rtol=0, atol=atol)


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "encoder"
    export_encoder(model, path, image_size=SIDE)
    return path


@pytest.fixture
def loaded(exported):
    return tf.saved_model.load(str(exported))


def test_answers_with_tensorflow_alone(model, exported, tmp_path):
    given = {}
    for height, width in SIZES:
        images = photographs(height, width)
        given[f"uint8 {height}x{width}"] = images.numpy()
        given[f"float32 {height}x{width}"] = (images.numpy() / 255).astype(np.float32)
        given[f"float64 {height}x{width}"] = images.numpy() / 255
        encoded = [tf.io.encode_jpeg(image, quality=95).numpy() for image in images]
        given[f"jpeg {height}x{width}"] = np.array(encoded, dtype=object)
    np.savez(tmp_path / "given.npz", **given)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    arguments = [exported, tmp_path / "given.npz", tmp_path / "answers.npz"]
    process = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, *map(str, arguments)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr[-2000:]

    got = np.load(tmp_path / "answers.npz")
    assert len(got.files) == len(SIZES) * (3 + 2 + 2 + 2)
    for key in got.files:
        name, *_, output = key.split("/")
        if name.startswith("jpeg"):
            images = tf.stack([tf.io.decode_jpeg(data) for data in given[name]])
        else:
            images = given[name]
        want = expected(model, images, SIDE)[output]
        np.testing.assert_allclose(got[key], want, rtol=0, atol=1e-5, err_msg=key)


def test_uint8_float_and_jpeg_are_alike(loaded):
    images = photographs(61, 47)
    signatures = loaded.signatures
    whole = signatures["serving_uint8"](images=images)
    assert_answers(signatures["serving_default"](images=images / 255), whole)
    encoded = [
        tf.io.encode_jpeg(i, quality=100, chroma_downsampling=False) for i in images
    ]
    spread = tf.math.reduce_std(whole["features"], axis=0).numpy().mean()
    got = signatures["jpeg"](bytes=tf.stack(encoded))
    difference = np.abs(got["features"] - whole["features"]).mean()
    assert difference < 0.2 * spread


def test_jpegs_of_different_sizes_make_one_batch(model, loaded):
    images = [photographs(*size, count=1) for size in SIZES]
    encoded = [tf.io.encode_jpeg(image[0]) for image in images]
    encoded.append(tf.io.encode_jpeg(images[0][0, ..., :1]))
    got = loaded.signatures["jpeg"](bytes=tf.stack(encoded))
    for row, data in enumerate(encoded):
        image = tf.io.decode_jpeg(data, channels=3)[None]
        one = {name: value[row : row + 1] for name, value in got.items()}
        assert_answers(one, expected(model, image, SIDE))


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
def test_the_callable_takes_numpy_arrays_by_their_dtype(loaded, dtype):
    images = photographs(61, 47)
    scale = 1 if dtype == np.uint8 else 255
    got = loaded((images.numpy() / scale).astype(dtype))
    atol = 1e-2 if dtype == np.float16 else 1e-5
    np.testing.assert_allclose(got, loaded(images), atol=atol)


def test_dtypes_are_never_mistaken(loaded):
    images = photographs(61, 47)
    pixels = images.numpy()
    with pytest.raises(tf.errors.InvalidArgumentError, match="float tensor but is a u"):
        loaded.signatures["serving_default"](images=images)
    from_array = loaded.signatures["serving_default"](images=pixels)
    np.testing.assert_allclose(from_array["features"], loaded(images), atol=1e-6)
    for call in (
        lambda: loaded.signatures["serving_default"](images=pixels / 127.5 - 1),
        lambda: loaded(tf.cast(images, tf.float32)),
        lambda: loaded(pixels.tolist()),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"floating .* \[0, 1"):
            call()
    with pytest.raises(ValueError, match="Could not find matching concrete function"):
        loaded(tf.cast(images, tf.int32))


def test_overshoot_of_resizing_is_let_through(loaded):
    stripes = tf.cast(
        tf.random.stateless_uniform([2, 9, 9, 3], [1, 2]) > 0.5, tf.float32
    )
    images = tf.image.resize(stripes, [SIDE, SIDE], method="bicubic")
    assert tf.reduce_max(images) > 1.1
    loaded(images)


def test_fine_tunes(loaded):
    images, labels = photographs(SIDE, SIDE, count=32), tf.range(32) % 2
    probe = tf.Variable(tf.random.stateless_normal([16, 2], [0, 0]))
    variables = [*loaded.trainable_variables, probe]
    optimizer = tf.keras.optimizers.SGD(0.05)
    optimizer.build(variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(
                    labels, loaded(images, training=True) @ probe
                )
            )
        gradients = tape.gradient(loss, variables)
        assert all(gradient is not None for gradient in gradients)
        optimizer.apply_gradients(zip(gradients, variables))
        return loss

    losses = [float(step()) for _ in range(15)]
    assert losses[-1] < losses[0]


def test_gradients_are_those_of_the_model(model, loaded):
    images = tf.cast(photographs(SIDE, SIDE), tf.float32) / 255
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(loaded(images, training=False) ** 2)
    got = tape.gradient(value, loaded.trainable_variables)
    with tf.GradientTape() as tape:
        h = model(evaluation_view(images, SIDE), training=False)
        value = tf.reduce_sum(h**2)
    want = tape.gradient(value, model.encoder.trainable_variables)
    for one, other in zip(got, want):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_only_training_moves_the_statistics_of_batch_norm(loaded):
    [mean] = [v for v in loaded.variables if "moving_mean" in v.name and v.shape == [8]]
    before = mean.numpy()
    images = photographs(50, 60)
    still = loaded(images, training=False)
    np.testing.assert_array_equal(mean, before)
    moving = loaded(images, training=True)
    assert not np.allclose(mean, before)
    assert not np.allclose(still, moving)


def test_variables_are_the_encoders_and_the_heads(model, loaded):
    assert len(loaded.trainable_variables) == len(model.encoder.trainable_variables)
    names = {variable.name for variable in loaded.variables}
    assert names == {
        v.name for v in [*model.encoder.variables, *model.projection_head.variables]
    }


def test_a_frozen_encoder_can_be_fine_tuned_again(tmp_path):
    model = small_model()
    model.encoder.trainable = False
    export_encoder(model, tmp_path / "encoder", image_size=SIDE)
    loaded = tf.saved_model.load(str(tmp_path / "encoder"))
    assert len(loaded.trainable_variables) == 5


def test_without_image_size_images_keep_theirs(model, tmp_path):
    export_encoder(model, tmp_path / "encoder")
    loaded = tf.saved_model.load(str(tmp_path / "encoder"))
    jpegs = []
    for height, width in SIZES:
        images = photographs(height, width)
        want = expected(model, images, None)
        assert_answers(loaded.signatures["serving_uint8"](images=images), want)
        assert_answers(loaded.signatures["serving_default"](images=images / 255), want)
        np.testing.assert_allclose(loaded(images), want["features"], atol=1e-5)
        jpegs.append(tf.io.encode_jpeg(images[0]))
    got = loaded.signatures["jpeg"](bytes=tf.stack(jpegs))
    for row, data in enumerate(jpegs):
        one = {name: value[row : row + 1] for name, value in got.items()}
        assert_answers(one, expected(model, tf.io.decode_jpeg(data)[None], None))
    assert (
        json.loads((tmp_path / "encoder/simclr.json").read_text())["image_size"] is None
    )


def test_an_encoder_of_keras_applications(tmp_path):
    encoder = tf.keras.applications.MobileNetV2(
        input_shape=(64, 64, 3), alpha=0.35, include_top=False, weights=None
    )
    model = SimCLR(encoder, tf.keras.layers.Dense(8))
    model.build([None, 64, 64, 3])
    export_encoder(model, tmp_path / "encoder", image_size=64)
    loaded = tf.saved_model.load(str(tmp_path / "encoder"))
    images = photographs(80, 100)
    got = loaded.signatures["serving_uint8"](images=images)
    assert_answers(got, expected(model, images, 64))
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(loaded(images, training=True) ** 2)
    gradients = tape.gradient(value, loaded.trainable_variables)
    assert len(gradients) == len(encoder.trainable_variables)
    assert all(gradient is not None for gradient in gradients)


def test_mixed_precision(tmp_path):
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = small_model()
    export_encoder(model, tmp_path / "encoder", image_size=SIDE)
    tf.keras.mixed_precision.set_global_policy("float32")
    loaded = tf.saved_model.load(str(tmp_path / "encoder"))
    images = photographs(50, 60)
    got = loaded.signatures["serving_uint8"](images=images)
    assert {value.dtype for value in got.values()} == {tf.float32}
    represent = tf.function(lambda x: expected(model, x, SIDE))
    assert_answers(got, represent(images))


def test_double_precision(tmp_path):
    tf.keras.backend.set_floatx("float64")
    model = small_model()
    export_encoder(model, tmp_path / "encoder", image_size=SIDE)
    images = photographs(50, 60)
    want = expected(model, images, SIDE)
    tf.keras.backend.set_floatx("float32")
    loaded = tf.saved_model.load(str(tmp_path / "encoder"))
    got = loaded.signatures["serving_uint8"](images=images)
    assert {value.dtype for value in got.values()} == {tf.float64}
    assert_answers(got, want, atol=1e-6)


def test_metadata_lies_beside(exported):
    metadata = json.loads((exported / "simclr.json").read_text())
    assert metadata["image_size"] == SIDE
    assert metadata["feature_dim"] == 16
    assert metadata["projection_dim"] == 5
    assert metadata["tensorflow"] == tf.__version__


def test_an_earlier_export_is_replaced(tmp_path):
    path = tmp_path / "encoder"
    export_encoder(small_model(), path, image_size=SIDE)
    (path / "leftover").write_text("")
    model = small_model()
    export_encoder(model, path, image_size=SIDE)
    assert not (path / "leftover").exists()
    images = photographs(50, 60)
    got = tf.saved_model.load(str(path)).signatures["serving_uint8"](images=images)
    assert_answers(got, expected(model, images, SIDE))


def test_what_is_not_an_export_is_left_alone(model, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match=r"path must be absent.*thesis\.tex"):
        export_encoder(model, tmp_path, image_size=SIDE)
    with pytest.raises(ValueError, match="path must be a folder"):
        export_encoder(model, tmp_path / "thesis.tex", image_size=SIDE)
    assert (tmp_path / "thesis.tex").read_text() == "precious"


def test_refuses_a_model_that_is_not_built(tmp_path):
    model = SimCLR(
        tf.keras.Sequential([tf.keras.layers.Conv2D(4, 3)]), tf.keras.layers.Dense(4)
    )
    with pytest.raises(ValueError, match="model must be built"):
        export_encoder(model, tmp_path / "encoder")


def test_refuses_an_image_size_out_of_range(model, tmp_path):
    with pytest.raises(ValueError, match=r"image_size must be 1 or more, .* got 0"):
        export_encoder(model, tmp_path / "encoder", image_size=0)
