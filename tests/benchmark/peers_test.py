"""Peers do the same job as ours, so that their times compare."""

import numpy as np
import pytest
import tensorflow as tf

import simclr_tf
from simclr_tf.benchmark.stock import stock_view
from tools.benchmark import peers

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def images(images_npz):
    with np.load(images_npz) as arrays:
        return tf.constant(arrays["x_train"][:16])


def test_the_published_way_makes_a_view_of_an_image(images):
    view = tf.function(peers.published_view(24, 1.0, blur=True))
    made = np.stack([view(image) for image in images])
    assert made.shape == (16, 24, 24, 3)
    assert 0.0 <= made.min() < 0.05 < 0.9 < made.max() <= 1.0
    # A fifth turns grey; a view is hardly ever the same twice.
    assert not np.array_equal(made[0], view(images[0]))


def test_the_published_blur_is_of_half_of_a_batch(images):
    tf.random.set_seed(0)
    images = tf.image.convert_image_dtype(images, tf.float32)
    made = peers.published_batch_blur(tf.stack([images, images], axis=1)).numpy()
    changed = np.abs(made - images.numpy()[:, None]).max(axis=(2, 3, 4)) > 1e-6
    assert made.shape == (16, 2, 32, 32, 3)
    assert 4 < changed.sum() < 28
    assert not np.array_equal(changed[:, 0], changed[:, 1])
    # Smoother inside, darker at the edge, where the image ends in black.
    inside = made[:, :, 4:-4, 4:-4]
    rough = np.abs(np.diff(inside, axis=2)).mean(axis=(2, 3, 4))
    assert rough[changed].mean() < rough[~changed].mean()


def test_a_view_of_a_jpeg_is_of_a_crop_of_it(photos):
    path = next((photos / "train").glob("*/*.jpg"))
    view = tf.function(peers.published_view_of_jpeg(24, 0.5, blur=False))
    contents = tf.constant(path.read_bytes())
    made = np.stack([view(contents) for _ in range(16)])
    assert made.shape == (16, 24, 24, 3)
    assert np.ptp(made.mean(axis=(1, 2, 3))) > 0.01


@pytest.mark.exhaustive
def test_keras_cvs_layers_make_views_of_a_batch(images):
    view = tf.function(stock_view(24, 0.5, blur=True))
    made = view(images).numpy()
    assert made.shape == (16, 24, 24, 3)
    assert 0.0 <= made.min() < 0.1 < 0.8 < made.max() <= 1.01
    assert not np.array_equal(made, view(images))


def test_the_published_loss_is_ours():
    z_a, z_b = np.random.default_rng(0).normal(size=[2, 20, 8]).astype(np.float32)
    ours = float(simclr_tf.nt_xent(z_a, z_b))
    assert float(peers.published_loss(z_a, z_b)) == pytest.approx(ours, rel=1e-6)


def test_the_bare_model_has_our_weights():
    bare = peers.bare_resnet18(0.25)
    encoder = simclr_tf.ResNet(18, width_multiplier=0.25, cifar_stem=True)
    head = simclr_tf.ProjectionHead(num_layers=2)
    head(encoder(tf.zeros([1, 32, 32, 3])))
    ours = sum(int(tf.size(v)) for v in [*encoder.weights, *head.weights])
    # Keras' first batch norm of ours has no shift where a scale of zero follows.
    assert bare.count_params() == pytest.approx(ours, rel=1e-3)
