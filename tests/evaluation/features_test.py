"""Every example once, in order, in inference mode, whatever runs the encoder."""

import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf

import simclr_tf
from simclr_tf.errors import UserError
from simclr_tf.evaluation import encode

pytestmark = pytest.mark.slow

IMAGES = np.random.default_rng(0).random([23, 8, 8, 3], dtype=np.float32)
LABELS = np.arange(23, dtype=np.int32)


def small_encoder():
    layers = tf.keras.layers
    encoder = tf.keras.Sequential(
        [
            layers.Conv2D(6, 3, input_shape=[None, None, 3]),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dropout(0.5),
            layers.GlobalAveragePooling2D(),
        ]
    )
    encoder(IMAGES, training=True)
    return encoder


def batches(size, **extra):
    data = {"image": IMAGES, "label": LABELS, **extra}
    return tf.data.Dataset.from_tensor_slices(data).batch(size)


def test_every_example_once_and_in_order():
    encoder = small_encoder()
    features, labels = encode(encoder, batches(5))
    assert features.dtype == np.float32
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, LABELS)
    np.testing.assert_allclose(features, encoder(IMAGES, training=False), atol=1e-6)


@pytest.mark.parametrize("size", [1, 4, 23, 100])
def test_batch_split_does_not_matter(size):
    encoder = small_encoder()
    features, _ = encode(encoder, batches(size))
    np.testing.assert_allclose(features, encode(encoder, batches(7))[0], atol=1e-6)


def test_labels_are_none_where_there_are_none():
    dataset = tf.data.Dataset.from_tensor_slices({"image": IMAGES}).batch(5)
    features, labels = encode(small_encoder(), dataset)
    assert features.shape == (23, 6)
    assert labels is None


def test_variables_do_not_move():
    encoder = small_encoder()
    before = encoder.get_weights()
    encode(encoder, batches(5))
    for old, new in zip(before, encoder.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_a_loaded_model_and_a_plain_function_do_as_well(tmp_path):
    encoder = small_encoder()
    expected, _ = encode(encoder, batches(5))

    root = tf.Module()
    root.encoder = encoder
    root.__call__ = tf.function(
        lambda images, training: encoder(images, training=training)
    )
    for training in (True, False):
        root.__call__.get_concrete_function(
            tf.TensorSpec([None, 8, 8, 3]), training=training
        )
    tf.saved_model.save(root, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    np.testing.assert_allclose(encode(loaded, batches(5))[0], expected, atol=1e-6)

    mean, _ = encode(lambda images: tf.reduce_mean(images, axis=[1, 2]), batches(5))
    np.testing.assert_allclose(mean, IMAGES.mean(axis=(1, 2)), atol=1e-6)


def test_feature_maps_are_averaged():
    features, _ = encode(lambda images: images, batches(5))
    np.testing.assert_allclose(features, IMAGES.mean(axis=(1, 2)), atol=1e-6)


def test_low_precision_comes_out_as_float32():
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    features, _ = encode(small_encoder(), batches(5))
    assert features.dtype == np.float32


def test_one_graph_serves_all_batches_and_later_calls():
    traces = []

    class Encoder(tf.keras.Model):
        def call(self, images):
            traces.append(images.shape)
            return tf.reduce_mean(images, axis=[1, 2])

    encoder = Encoder()
    encode(encoder, batches(5))
    encode(encoder, batches(23))
    assert [shape.as_list() for shape in traces] == [[None, 8, 8, 3]]


def test_later_calls_see_the_weights_of_then():
    encoder = small_encoder()
    before, _ = encode(encoder, batches(5))
    encoder.set_weights([2 * weight for weight in encoder.get_weights()])
    after, _ = encode(encoder, batches(5))
    assert not np.allclose(before, after)
    np.testing.assert_allclose(after, encoder(IMAGES, training=False), atol=1e-6)


class Mean(tf.keras.Model):
    """Means of the images times a factor that a part of it holds."""

    def __init__(self, factor):
        super().__init__()
        self.scale = tf.keras.layers.Rescaling(factor)

    def call(self, images):
        return tf.reduce_mean(self.scale(images), axis=[1, 2])


def test_a_replaced_layer_is_the_one_that_encodes():
    model = Mean(1.0)
    once, _ = encode(model, batches(23))
    model.scale = tf.keras.layers.Rescaling(3.0)
    thrice, _ = encode(model, batches(23))
    np.testing.assert_allclose(thrice, 3.0 * once, rtol=1e-6)


def test_a_frozen_layer_is_asked_again():
    class Honest(Mean):
        def call(self, images):
            return super().call(images) * (1.0 if self.scale.trainable else -1.0)

    model = Honest(1.0)
    thawed, _ = encode(model, batches(23))
    model.scale.trainable = False
    frozen, _ = encode(model, batches(23))
    np.testing.assert_array_equal(frozen, -thawed)


def test_a_model_is_not_kept_alive():
    encoder = small_encoder()
    encode(encoder, batches(5))
    reference = weakref.ref(encoder)
    del encoder
    tf.keras.backend.clear_session()
    gc.collect()
    assert reference() is None


def test_progress_counts_examples():
    done = []
    encode(small_encoder(), batches(10), progress=done.append)
    assert done == [10, 20, 23]


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (tf.data.Dataset.from_tensor_slices(IMAGES).batch(5), '"image"'),
        (tf.data.Dataset.from_tensor_slices({"image": IMAGES}), r"\(8, 8, 3\)"),
        (batches(5).repeat(), "repeats for ever"),
        (batches(5).take(0), "at least one example"),
        (IMAGES, "a tf.data.Dataset, got a ndarray"),
        (batches(5, label=LABELS.astype(str)), "label.*integers.*string"),
        (batches(5, label=LABELS[:, None]), r"label.*\[B\].*\(None, 1\)"),
        (batches(5, image=IMAGES[..., :1]), r"\(5, 8, 8, 1\).*expected axis"),
        (batches(5, image=tf.RaggedTensor.from_tensor(IMAGES)), "image.*Ragged"),
    ],
)
def test_refuses_other_datasets(dataset, message):
    with pytest.raises(UserError, match=message):
        encode(small_encoder(), dataset)


def test_refuses_what_is_no_encoder(tmp_path):
    module = tf.Module()
    module.__call__ = tf.function(
        lambda images, training: tf.reduce_mean(images, axis=[1, 2])
    )
    spec = tf.TensorSpec([None, 4, 4, 3])
    module.__call__.get_concrete_function(spec, training=False)
    tf.saved_model.save(module, str(tmp_path))
    for model, message in [
        ("resnet50", "callable, got a str"),
        (lambda images: {"h": images}, "a tensor, got a dict"),
        (tf.saved_model.load(str(tmp_path)), r"\(5, 8, 8, 3\).*(Binding|matching)"),
    ]:
        with pytest.raises(UserError, match=message):
            encode(model, batches(5))


def test_a_model_of_images_in_0_to_1_refuses_others():
    model = simclr_tf.SimCLR(small_encoder(), simclr_tf.ProjectionHead(num_layers=1))
    pixels = tf.data.Dataset.from_tensors({"image": IMAGES * 255})
    with pytest.raises(UserError, match="by 255, or cast to uint8"):
        encode(model, pixels)


def test_a_defect_in_the_model_is_not_taken_for_a_mistake():
    def model(images):
        raise ValueError("a defect")

    with pytest.raises(ValueError, match="a defect") as raised:
        encode(model, batches(5))
    assert not isinstance(raised.value, UserError)


def test_refuses_features_of_another_rank():
    with pytest.raises(UserError, match=r"\[B, D\].*\(None,\)"):
        encode(lambda images: tf.reduce_mean(images, axis=[1, 2, 3]), batches(5))


def _shared(strategy):
    """Features by replicas together and by one device, and what parts they encoded."""
    with strategy.scope():
        layers = [
            tf.keras.layers.Conv2D(6, 3, input_shape=[8, 8, 3]),
            simclr_tf.SyncBatchNormalization(),
            tf.keras.layers.GlobalAveragePooling2D(),
        ]
        encoder = tf.keras.Sequential(layers)
    rng = np.random.default_rng(3)
    encoder.set_weights([rng.random(w.shape) for w in encoder.get_weights()])
    parts = []

    def recorded(images):
        tf.py_function(lambda x: parts.append(len(x)), [images], [])
        return tf.reduce_mean(images, axis=[1, 2])

    means, _ = encode(recorded, batches(10), strategy=strategy)
    together, labels = encode(encoder, batches(10), strategy=strategy)
    again, _ = encode(encoder, batches(10), strategy=strategy)
    alone, _ = encode(encoder, batches(10))
    return means, labels, together, again, alone, parts


def _require_shared(found):
    means, labels, together, again, alone, _ = found
    np.testing.assert_allclose(means, IMAGES.mean(axis=(1, 2)), rtol=1e-6)
    np.testing.assert_array_equal(labels, LABELS)
    assert together.shape == (23, 6)
    np.testing.assert_allclose(together, alone, rtol=1e-6)
    np.testing.assert_array_equal(together, again)


@pytest.mark.slow
@pytest.mark.xdist_group("replicas 2")
def test_replicas_share_the_work(replicas):
    """Batches of 10, 10 and 3 in parts of 5, the last ones padded."""
    found = replicas(2).run(_shared)
    _require_shared(found)
    assert found[-1] == [5] * 6


def _own_statistics(strategy):
    """Features of a model whose replicas have moving averages of 1 and of 3."""
    with strategy.scope():
        layer = tf.keras.layers.BatchNormalization(epsilon=0.0, input_shape=[8, 8, 3])
        model = tf.keras.Sequential([layer, tf.keras.layers.Flatten()])

    def own():
        context = tf.distribute.get_replica_context()
        index = tf.cast(context.replica_id_in_sync_group, tf.float32)
        layer.moving_mean.assign(tf.fill([3], 1.0 + 2.0 * index))

    strategy.run(own)
    return encode(model, batches(10), strategy=strategy)[0]


@pytest.mark.slow
@pytest.mark.xdist_group("replicas 2")
def test_statistics_of_single_replicas_count_as_their_mean(replicas):
    """As in a checkpoint; each replica's own would give images unequal features."""
    features = replicas(2).run(_own_statistics)
    np.testing.assert_allclose(features, IMAGES.reshape(23, -1) - 2.0, rtol=1e-5)


@pytest.mark.exhaustive
@pytest.mark.xdist_group("replicas of workers")
def test_workers_share_the_work(workers):
    """Each encodes its own parts, and all are given the same features."""
    one, other = workers(_shared)
    _require_shared(one)
    for ours, theirs in zip(one, other):
        np.testing.assert_array_equal(ours, theirs)
    assert one[-1] == [5] * 3
