"""Activations computed again give the training of activations kept."""

import numpy as np
import pytest
import tensorflow as tf

import simclr_tf

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _double():
    tf.keras.backend.set_floatx("float64")


def _encoder(rematerialize, **settings):
    tf.keras.utils.set_random_seed(0)
    encoder = simclr_tf.ResNet(
        settings.pop("depth", 18),
        width_multiplier=0.0625,
        rematerialize=rematerialize,
        blocks=settings.pop("blocks", (1,)),
        **settings,
    )
    encoder.build((None, 24, 24, 3))
    generator = np.random.default_rng(1)
    for variable in encoder.trainable_variables:
        spread = np.prod(variable.shape[:-1] or [4]) ** -0.5
        variable.assign(generator.normal(0.5, spread, variable.shape))
    return encoder


@pytest.fixture(scope="module")
def images(images_npz):
    with np.load(images_npz) as found:
        return found["x_train"][:6, :24, :24] / 255.0


def _differentiate(encoder, images):
    images = tf.convert_to_tensor(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        features = encoder(images, training=True)
        loss = tf.reduce_sum(features * tf.sin(features))
    wanted = [images, *encoder.trainable_variables]
    return [features, *tape.gradient(loss, wanted)]


_BASIC = {"cifar_stem": True}
_SELECTIVE = {"depth": 50, "sk_ratio": 0.0625}
_TWO = {"blocks": (2,)}
_EXHAUSTIVE = pytest.mark.exhaustive


@pytest.mark.parametrize(
    ("settings", "how"),
    [
        (_BASIC | _TWO, "eager"),
        pytest.param(_BASIC, "xla", marks=_EXHAUSTIVE),
        (_SELECTIVE, "graph"),
        pytest.param(_BASIC | _TWO, "graph", marks=_EXHAUSTIVE),
        pytest.param(_BASIC | _TWO, "xla", marks=_EXHAUSTIVE),
        pytest.param(_SELECTIVE | _TWO, "graph", marks=_EXHAUSTIVE),
    ],
)
def test_features_gradients_and_moving_averages_are_the_same(images, settings, how):
    found, moved = [], []
    for rematerialize in (False, True):
        encoder = _encoder(rematerialize, **settings)
        differentiate = _differentiate
        if how != "eager":
            differentiate = tf.function(differentiate, jit_compile=how == "xla")
        before = [v.numpy() for v in encoder.non_trainable_variables]
        found.append([value.numpy() for value in differentiate(encoder, images)])
        moved.append([v.numpy() for v in encoder.non_trainable_variables])
        assert all((a != b).any() for a, b in zip(before, moved[-1]))
    for kept, again in zip(*found):
        np.testing.assert_allclose(again, kept, rtol=0, atol=1e-11 * np.abs(kept).max())
    for kept, again in zip(*moved):
        np.testing.assert_allclose(again, kept, rtol=1e-12, atol=1e-15)


def test_the_backward_pass_convolves_again_and_inference_does_not(images):
    def convolutions(rematerialize, training):
        encoder = _encoder(rematerialize, cifar_stem=True)

        @tf.function
        def differentiate(images):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(encoder(images, training=training))
            return tape.gradient(loss, encoder.trainable_variables)

        graph = differentiate.get_concrete_function(tf.constant(images)).graph
        return sum(op.type == "Conv2D" for op in graph.get_operations())

    assert convolutions(False, True) == convolutions(True, False) == 4
    assert convolutions(True, True) == 2 * 4 - 1  # The stem's only once.


@pytest.mark.exhaustive
def test_pieces_of_a_batch_can_be_computed_again_too(images):
    weights = []
    for rematerialize in (False, True):
        model = simclr_tf.SimCLR(
            _encoder(rematerialize, cifar_stem=True),
            simclr_tf.ProjectionHead(num_layers=1, out_dim=8),
            micro_batches=3,
        )
        tf.keras.utils.set_random_seed(0)
        model.build((None, 24, 24, 3))
        model.compile(tf.keras.optimizers.SGD(0.1))
        views = np.stack([images, images[:, ::-1]], axis=1)
        batches = tf.data.Dataset.from_tensors({"views": views})
        model.fit(batches, epochs=2, verbose=0)
        weights.append(model.get_weights())
    for kept, again in zip(*weights):
        np.testing.assert_allclose(again, kept, rtol=0, atol=1e-10 * np.abs(kept).max())


def test_other_encoders_are_refused():
    with pytest.raises(ValueError, match="and the encoder is MobileNetV2"):
        simclr_tf.encoder.make_encoder("MobileNetV2", image_size=32, rematerialize=True)
