"""SimCLR on images of any channels, of a stated range, in any rectangle."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.augmentation import SimCLRAugmenter
from simclr_tf.encoder import make_encoder
from simclr_tf.errors import UserError
from simclr_tf.export import channels_of, export_encoder, image_size_of
from simclr_tf.head import ProjectionHead
from simclr_tf.model import SimCLR
from tests import tiny

pytestmark = pytest.mark.slow

_LEVELS = np.random.default_rng(0).integers(0, 4096, [16, 14, 18, 4], np.uint16)


def _model(size=(8, 12), **settings):
    tf.keras.utils.set_random_seed(0)
    # Colours and blur take their time to trace.
    augmenter = SimCLRAugmenter(size, color_strength=0.0, blur=False)
    head = ProjectionHead(num_layers=1, out_dim=4, use_batch_norm=False)
    model = SimCLR(tiny.encoder(), head, augmenter=augmenter, **settings)
    model.compile("sgd")
    return model


def _containers(images):
    batches = tf.data.Dataset.from_tensor_slices({"image": images}).batch(8)

    class Sequence(tf.keras.utils.Sequence):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return images[8 * index : 8 * index + 8]

    return {"arrays": images, "dataset": batches, "sequence": Sequence()}


def _learned(data, eagerly=False, **settings):
    model = _model(**settings)
    model.build((None, *_LEVELS.shape[1:]))  # A step is traced once then, not twice.
    model.run_eagerly = eagerly
    settings = {"batch_size": 8} if isinstance(data, np.ndarray) else {}
    model.fit(data, shuffle=False, verbose=0, **settings)
    return model.get_weights()


@pytest.mark.parametrize(
    "container", [pytest.param("dataset", marks=pytest.mark.exhaustive), "arrays"]
)
def test_a_stated_range_is_learned_from_as_the_unit_range_is(container):
    stated = _learned(_containers(_LEVELS)[container], value_range=(0, 4095))
    unit = _containers((_LEVELS / 4095.0).astype("float32"))["dataset"]
    for ours, theirs in zip(stated, _learned(unit, eagerly=True)):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize(
    "container",
    [pytest.param("dataset", marks=pytest.mark.exhaustive), "arrays", "sequence"],
)
def test_values_out_of_the_stated_range_are_refused(container):
    model = _model(value_range=(0, 1000))
    with pytest.raises(UserError, match=r"from 0 to 1000 by value_range, and have"):
        model.fit(_containers(_LEVELS)[container], verbose=0)


def test_predictions_of_a_stated_range_and_its_place_in_the_config():
    model = _model(value_range=(0, 4095))
    model.build((None, 14, 18, 4))
    unit = (_LEVELS / 4095.0).astype("float32")
    np.testing.assert_allclose(
        model.predict(_LEVELS, verbose=0), model(unit), atol=1e-6
    )
    again = SimCLR.from_config(model.get_config())
    assert tuple(again.value_range) == (0, 4095)
    assert again.augmenter.image_size == (8, 12)
    with pytest.raises(UserError, match="second above the first"):
        _model(value_range=(4095, 0))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            (_LEVELS[..., 0] // 16).astype(np.uint8),
            r"images\[\.\.\., tf.newaxis\].*\[B, H, W, 1\]",
        ),
        (_LEVELS, "nearly black.*value_range"),
        (np.zeros([8, 3, 32, 32], np.uint8), r"looks like \[N, C, H, W\]"),
    ],
)
def test_what_is_no_batch_of_channels_is_refused_with_the_remedy(images, message):
    with pytest.raises(UserError, match=message):
        _model().fit(images, verbose=0)


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("resnet18x0.0625", 4),
        ("vit_tiny16", 1),
        pytest.param("EfficientNetB0", 2, marks=pytest.mark.exhaustive),
        pytest.param("MobileNetV2", 5, marks=pytest.mark.exhaustive),
    ],
)
def test_encoders_take_channels_and_rectangles(name, channels):
    encoder = make_encoder(name, image_size=(32, 48), channels=channels)
    assert encoder(tf.zeros([2, 32, 48, channels])).shape.rank == 2


@pytest.mark.slow
def test_an_encoder_that_is_for_rgb_alone_says_so():
    with pytest.raises(UserError, match=r"'VGG16' is made for RGB images.*4 channels"):
        make_encoder("VGG16", image_size=32, channels=4)
    with pytest.raises(UserError, match="multiple of the patches' side, 16 px, got"):
        make_encoder("vit_tiny16", image_size=(32, 40))


@pytest.mark.parametrize("channels", [4, pytest.param(1, marks=pytest.mark.exhaustive)])
def test_an_export_says_what_it_takes(tmp_path, channels):
    model = _model()
    model.build((None, 8, 12, channels))
    export_encoder(model, tmp_path / "export", image_size=(8, 12))
    assert channels_of(tmp_path / "export") == channels
    assert image_size_of(tmp_path / "export") == (8, 12)
    loaded = tf.saved_model.load(str(tmp_path / "export"))
    images = tf.constant(_LEVELS[:3, ..., :channels] // 16, tf.uint8)
    signature = loaded.signatures["serving_uint8"]
    shape = signature.structured_input_signature[1]["images"].shape
    assert shape.as_list() == [None, None, None, channels]
    features = loaded(images)
    np.testing.assert_allclose(
        signature(images=images)["features"], features, atol=1e-6
    )
    assert ("jpeg" in loaded.signatures) == (channels == 1)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[B, H, W, \d\]"):
        signature(images=tf.zeros([3, 8, 12, 3], tf.uint8))
    if channels == 1:
        pngs = tf.stack([tf.io.encode_png(image) for image in images])
        answered = loaded.signatures["jpeg"](bytes=pngs)["features"]
        np.testing.assert_allclose(answered, features, atol=1e-3)
