"""The exported encoder answers like the model, wherever TensorFlow is."""

import json
import os
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.augmentation import evaluation_view
from simclr_tf.errors import UserError
from simclr_tf.export import export_encoder
from simclr_tf.methods import method_class
from simclr_tf.model import Learner, SimCLR
from tests import tiny

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
def trained():
    """A model that was trained in bfloat16, as by default on machines fast in it."""
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = small_model()
    tf.keras.mixed_precision.set_global_policy("float32")
    return model


@pytest.fixture(scope="module")
def model(trained):
    """The same weights in a model of float32, which the export has to agree with."""
    model = small_model()
    model.set_weights(trained.get_weights())
    return model


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "encoder"
    export_encoder(trained, path, image_size=SIDE)
    return path


@pytest.fixture(scope="module")
def loaded(exported):
    return tf.saved_model.load(str(exported))


@pytest.fixture
def to_train(exported):
    """Loaded for one test, which changes its variables."""
    return tf.saved_model.load(str(exported))


@pytest.fixture(scope="module")
def any_size(model, tmp_path_factory):
    """Exported with no image size, and while its encoder was frozen."""
    path = tmp_path_factory.mktemp("any_size") / "encoder"
    model.encoder.trainable = False
    export_encoder(model, path)
    model.encoder.trainable = True
    return path


def test_answers_with_tensorflow_alone_on_a_plainer_processor(
    model, exported, tmp_path
):
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
    # Without AVX-512, and so without instructions for bfloat16.
    environment["ONEDNN_MAX_CPU_ISA"] = "AVX2"
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
    for call in (
        lambda: loaded.signatures["serving_default"](images=pixels),
        lambda: loaded.signatures["serving_default"](images=pixels / 127.5 - 1),
        lambda: loaded(tf.cast(images, tf.float32)),
        lambda: loaded(pixels.tolist()),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"floating .* \[0, 1"):
            call()
    with pytest.raises(ValueError, match="Could not find matching concrete function"):
        loaded(tf.cast(images, tf.int32))


def refused_images(images):
    """Of images in [0, 1] `[H, W, 3]`: what a server's clients send by mistake."""
    one_pixel = images.copy()
    one_pixel[3, 5, 1] = 1.6
    holed = images.copy()
    holed[0, 0, 0] = np.nan
    return {
        "standardised": (images - images.mean()) / images.std(),
        "pixels": 255 * images,
        "one pixel of 1.6": one_pixel,
        "not a number": holed,
        "infinite": np.where(images > 0.5, np.inf, images),
        "huge": np.full_like(images, 3e38),
    }


def answers_beside(signature, argument, good, bad):
    """Outputs for [good, bad, good] are those for the good alone, and NaN."""
    alone = signature(**{argument: np.stack([good])})
    together = signature(**{argument: np.stack([good, bad, good])})
    for name, rows in together.items():
        for row in (0, 2):
            np.testing.assert_allclose(rows[row], alone[name][0], rtol=0, atol=1e-6)
        assert np.isnan(rows[1]).all(), name
    with pytest.raises(tf.errors.InvalidArgumentError, match="Not a single image is"):
        signature(**{argument: np.stack([bad, bad])})


@pytest.mark.parametrize("kind", refused_images(np.zeros([8, 8, 3]) + 0.1))
def test_an_image_out_of_range_is_refused_and_costs_no_other_client(loaded, kind):
    good = (photographs(61, 47, count=1)[0].numpy() / 255).astype(np.float32)
    bad = refused_images(good)[kind].astype(np.float32)
    answers_beside(loaded.signatures["serving_default"], "images", good, bad)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[1\].*index\] \[2\]"):
        loaded(np.stack([good, good, bad]))


def test_floats_of_pixels_have_a_signature_of_their_own(model, loaded):
    images = photographs(61, 47)
    signature = loaded.signatures["serving_0_255"]
    got = signature(images_0_255=images.numpy())
    assert_answers(got, expected(model, images, SIDE))
    good = images[0].numpy().astype(np.float32)
    for bad in (good / 255, good / 127.5 - 1, good * 255, good + np.nan):
        answers_beside(signature, "images_0_255", good, bad)
    black = np.zeros([1, 61, 47, 3], np.float32)
    got = signature(images_0_255=black)
    assert_answers(got, expected(model, black, SIDE))


def test_what_is_no_image_file_costs_no_other_client(model, loaded):
    image = photographs(61, 47, count=1)[0]
    jpeg, png = tf.io.encode_jpeg(image), tf.io.encode_png(image)
    signature = loaded.signatures["jpeg"]
    got = signature(bytes=tf.stack([jpeg, b"", b"<html>", png, b"\xff\xd8"]))
    alone = signature(bytes=jpeg[None])
    whole = expected(model, image[None], SIDE)
    for name, rows in got.items():
        np.testing.assert_allclose(rows[0], alone[name][0], rtol=0, atol=1e-6)
        np.testing.assert_allclose(rows[3], whole[name][0], rtol=0, atol=1e-5)
        assert np.isnan(rows.numpy()[[1, 2, 4]]).all()
    with pytest.raises(tf.errors.InvalidArgumentError, match="contents of JPEG"):
        signature(bytes=tf.constant([b"<html>", b""]))


@pytest.mark.parametrize("shape", [[3, 48, 48, 1], [3, 48, 48, 4], [2, 0, 9, 3]])
def test_a_signature_holds_tensors_to_its_shape(loaded, shape):
    """TensorFlow does not: it would read other pixels out of these."""
    for name, argument, dtype in (
        ("serving_default", "images", tf.float32),
        ("serving_uint8", "images", tf.uint8),
        ("serving_0_255", "images_0_255", tf.float32),
    ):
        images = tf.zeros(shape, dtype)
        with pytest.raises(tf.errors.InvalidArgumentError, match="images must be RGB"):
            loaded.signatures[name](**{argument: images})


def test_no_images_have_no_features(loaded):
    for name, argument, nothing in (
        ("serving_default", "images", np.zeros([0, 9, 7, 3], np.float32)),
        ("serving_uint8", "images", np.zeros([0, 9, 7, 3], np.uint8)),
        ("serving_0_255", "images_0_255", np.zeros([0, 9, 7, 3], np.float32)),
        ("jpeg", "bytes", tf.zeros([0], tf.string)),
    ):
        got = loaded.signatures[name](**{argument: nothing})
        assert {output: value.shape for output, value in got.items()} == {
            "features": (0, 16),
            "projection": (0, 5),
        }
    assert loaded(np.zeros([0, 9, 7, 3], np.float32)).shape == (0, 16)


def test_overshoot_of_resizing_is_let_through(loaded):
    stripes = tf.cast(
        tf.random.stateless_uniform([2, 9, 9, 3], [1, 2]) > 0.5, tf.float32
    )
    images = tf.image.resize(stripes, [SIDE, SIDE], method="bicubic")
    assert tf.reduce_max(images) > 1.1
    loaded(images)


def test_fine_tunes(to_train):
    images, labels = photographs(SIDE, SIDE, count=32), tf.range(32) % 2
    probe = tf.Variable(tf.random.stateless_normal([16, 2], [0, 0]))
    variables = [*to_train.trainable_variables, probe]
    optimizer = tf.keras.optimizers.SGD(0.05)
    optimizer.build(variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(
                    labels, to_train(images, training=True) @ probe
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


def test_only_training_moves_the_statistics_of_batch_norm(to_train):
    [mean] = [
        v for v in to_train.variables if "moving_mean" in v.name and v.shape == [8]
    ]
    before = mean.numpy()
    images = photographs(50, 60)
    still = to_train(images, training=False)
    np.testing.assert_array_equal(mean, before)
    moving = to_train(images, training=True)
    assert not np.allclose(mean, before)
    assert not np.allclose(still, moving)


def test_variables_are_the_encoders_and_the_heads(trained, loaded):
    model = trained
    assert len(loaded.trainable_variables) == len(model.encoder.trainable_variables)
    names = {variable.name for variable in loaded.variables}
    assert names == {
        v.name for v in [*model.encoder.variables, *model.projection_head.variables]
    }


def test_a_frozen_encoder_can_be_fine_tuned_again(any_size):
    loaded = tf.saved_model.load(str(any_size))
    assert len(loaded.trainable_variables) == 5


def test_without_image_size_images_keep_theirs(model, any_size):
    loaded = tf.saved_model.load(str(any_size))
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
    assert json.loads((any_size / "simclr.json").read_text())["image_size"] is None


@pytest.mark.exhaustive
def test_an_encoder_of_keras_functional_kind(tmp_path):
    """As those of keras.applications are; its feature maps are averaged."""
    layers = tf.keras.layers
    images = tf.keras.Input([64, 64, 3])
    x = layers.DepthwiseConv2D(3, 2, depth_multiplier=2, padding="same")(images)
    x = layers.BatchNormalization()(x)
    x = layers.Add()([x, layers.Conv2D(6, 1)(layers.ReLU(6.0)(x))])
    encoder = tf.keras.Model(images, x)
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


def dtypes_of(loaded, signature):
    """All dtypes in the graphs that a signature of a SavedModel calls."""
    graph = loaded.signatures[signature].graph.as_graph_def()
    nodes = [*graph.node]
    for inner in graph.library.function:
        nodes += inner.node_def
    return {
        tf.as_dtype(dtype)
        for node in nodes
        for attribute in node.attr.values()
        for dtype in [attribute.type, *attribute.list.type]
        if dtype
    }


@pytest.mark.parametrize("signature", ["serving_default", "serving_uint8", "jpeg"])
def test_it_computes_in_float32_whatever_it_was_trained_in(loaded, signature):
    dtypes = dtypes_of(loaded, signature)
    assert tf.float32 in dtypes
    assert not dtypes & {tf.bfloat16, tf.float16}


def test_each_variable_is_held_once(trained, exported):
    reader = tf.train.load_checkpoint(str(exported / "variables" / "variables"))
    shapes = reader.get_variable_to_shape_map()
    lists = ("variables", "trainable_variables")
    held = [shapes[key] for key in shapes if key.partition("/")[0] in lists]
    own = [*trained.encoder.variables, *trained.projection_head.variables]
    assert sorted(held) == sorted(variable.shape.as_list() for variable in own)
    others = {key.partition("/")[0] for key in shapes} - {*lists}
    assert others == {"_CHECKPOINTABLE_OBJECT_GRAPH", "save_counter"}


def test_the_model_keeps_the_precision_it_had(trained, exported):
    layers = {layer.compute_dtype for layer in trained.encoder.layers}
    assert layers == {"bfloat16"}


def test_it_converts_to_tflite(model, exported):
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(exported), signature_keys=["serving_default"]
    )
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    run = interpreter.get_signature_runner("serving_default")
    images = (photographs(61, 47).numpy() / 255).astype(np.float32)
    assert_answers(run(images=images), expected(model, images, SIDE))
    images[1] *= 255
    got = run(images=images)
    assert_answers(
        {name: rows[::2] for name, rows in got.items()},
        expected(model, images[::2], SIDE),
    )
    assert np.isnan(got["features"][1]).all()


def test_it_converts_to_onnx(model, exported, tmp_path, monkeypatch):
    reason = "tf2onnx needs Python 3.10 beside TensorFlow 2.15"
    convert = pytest.importorskip("tf2onnx.convert", reason=reason)
    from onnx.reference import ReferenceEvaluator

    path = str(tmp_path / "encoder.onnx")
    arguments = [f"--saved-model={exported}", f"--output={path}", "--opset=17"]
    arguments += ["--signature_def=serving_default"]
    monkeypatch.setattr(sys, "argv", ["tf2onnx", *arguments])
    convert.main()
    evaluator = ReferenceEvaluator(path)
    images = (photographs(61, 47).numpy() / 255).astype(np.float32)
    got = dict(zip(evaluator.output_names, evaluator.run(None, {"images": images})))
    assert_answers(got, expected(model, images, SIDE))


def test_another_precision_may_be_asked_for(trained, tmp_path):
    export_encoder(trained, tmp_path / "encoder", image_size=SIDE, precision="bfloat16")
    metadata = json.loads((tmp_path / "encoder" / "simclr.json").read_text())
    assert metadata["precision"] == "bfloat16"
    loaded = tf.saved_model.load(str(tmp_path / "encoder"))
    assert tf.bfloat16 in dtypes_of(loaded, "serving_default")
    images = photographs(50, 60)
    got = loaded.signatures["serving_uint8"](images=images)
    assert {value.dtype for value in got.values()} == {tf.float32}
    represent = tf.function(lambda x: expected(trained, x, SIDE))
    assert_answers(got, represent(images))


def test_a_precision_that_cannot_be_had_is_refused(model, tmp_path):
    with pytest.raises(UserError, match=r"needs a model made under .* mixed_float16"):
        export_encoder(model, tmp_path / "encoder", precision="float16")
    with pytest.raises(UserError, match=r"precision must be one of .* got 'int8'"):
        export_encoder(model, tmp_path / "encoder", precision="int8")
    narrow = tf.keras.Sequential(
        [tf.keras.layers.Conv2D(4, 3, dtype="bfloat16", name="narrow")]
    )
    half = SimCLR(narrow, tf.keras.layers.Dense(4))
    half.build([None, SIDE, SIDE, 3])
    with pytest.raises(UserError, match="The layer narrow keeps its variables in bf"):
        export_encoder(half, tmp_path / "encoder")
    assert not (tmp_path / "encoder").exists()


@pytest.mark.exhaustive
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
    assert metadata["precision"] == "float32"
    assert metadata["tensorflow"] == tf.__version__


def files_in(folder):
    """Contents by path."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_an_earlier_export_is_replaced_whole_or_not_at_all(exported, tmp_path):
    path = tmp_path / "encoder"
    shutil.copytree(exported, path)
    (path / "leftover").write_text("")
    before = files_in(path)
    other = small_model()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Fuller than a full disk: no file can have more than a kilobyte.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))
    try:
        with pytest.raises(UserError, match=r"cannot be written: .*is as it was"):
            export_encoder(other, path, image_size=SIDE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert files_in(path) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["encoder"]

    export_encoder(other, path, image_size=SIDE)
    assert not (path / "leftover").exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["encoder"]
    images = photographs(50, 60)
    got = tf.saved_model.load(str(path)).signatures["serving_uint8"](images=images)
    assert_answers(got, expected(other, images, SIDE))


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


def test_a_method_without_projections_exports_features_alone(tmp_path):
    method = method_class("rotation")()
    head = method.make_head(layers=1, hidden_dim=None, out_dim=8)
    model = Learner(tiny.encoder(), head, method)
    model.build([None, SIDE, SIDE, 3])
    export_encoder(model, tmp_path / "encoder", image_size=SIDE)
    loaded = tf.saved_model.load(str(tmp_path / "encoder"))
    images = photographs(SIDE, SIDE)
    answer = loaded.signatures["serving_uint8"](images=images)
    assert set(answer) == {"features"}
    features = model(evaluation_view(images, SIDE))
    np.testing.assert_allclose(answer["features"], features, atol=1e-5)
    told = json.loads((tmp_path / "encoder" / "simclr.json").read_text())
    assert told["projection_dim"] is None
