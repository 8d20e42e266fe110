"""What others do, written plainly, to be measured beside this package."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf


def published_view(
    size: int, strength: float, *, blur: bool
) -> Callable[[tf.Tensor], tf.Tensor]:
    """One view of one image by tf.image's ops, as the published host pipeline has it.

    Crop, flip, jitter in a random order, greyscale, blur with stateful random ops on a
    single image uint8 `[H, W, 3]`; the result is float32 `[size, size, 3]`.
    """
    change = _published_changes(size, strength, blur=blur)

    def view(image: tf.Tensor) -> tf.Tensor:
        begin, extent = _published_box(tf.shape(image))
        return change(tf.slice(image, begin, extent))

    return view


def published_view_of_jpeg(
    size: int, strength: float, *, blur: bool
) -> Callable[[tf.Tensor], tf.Tensor]:
    """`published_view` of a file's bytes, of which only the crop is decoded."""
    change = _published_changes(size, strength, blur=blur)

    def view(contents: tf.Tensor) -> tf.Tensor:
        begin, extent = _published_box(tf.io.extract_jpeg_shape(contents))
        window = tf.concat([begin[:2], extent[:2]], axis=0)
        return change(tf.io.decode_and_crop_jpeg(contents, window, channels=3))

    return view


def _published_box(shape: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    begin, extent, _ = tf.image.sample_distorted_bounding_box(
        shape,
        tf.constant([[[0.0, 0.0, 1.0, 1.0]]]),
        min_object_covered=0.1,
        aspect_ratio_range=(3 / 4, 4 / 3),
        area_range=(0.08, 1.0),
        max_attempts=100,
        use_image_if_no_bounding_boxes=True,
    )
    return begin, extent


def _published_changes(
    size: int, strength: float, *, blur: bool
) -> Callable[[tf.Tensor], tf.Tensor]:
    """A crop, uint8, to a view."""
    blurred = published_blur(size)

    def change(image: tf.Tensor) -> tf.Tensor:
        image = tf.image.convert_image_dtype(image, tf.float32)
        image = tf.image.resize(image, [size, size], "bicubic")
        image = tf.image.random_flip_left_right(image)
        image = _sometimes(lambda x: _published_jitter(x, strength), 0.8, image)
        image = _sometimes(
            lambda x: tf.tile(tf.image.rgb_to_grayscale(x), [1, 1, 3]), 0.2, image
        )
        if blur:
            image = blurred(image)
        return tf.clip_by_value(tf.reshape(image, [size, size, 3]), 0.0, 1.0)

    return change


def _sometimes(
    change: Callable[[tf.Tensor], tf.Tensor], share: float, image: tf.Tensor
) -> tf.Tensor:
    return tf.cond(tf.random.uniform([]) < share, lambda: change(image), lambda: image)


def _published_jitter(image: tf.Tensor, strength: float) -> tf.Tensor:
    spread = 0.8 * strength
    operations = [
        lambda x: x * tf.random.uniform([], max(1.0 - spread, 0.0), 1.0 + spread),
        lambda x: tf.image.random_contrast(x, 1.0 - spread, 1.0 + spread),
        lambda x: tf.image.random_saturation(x, 1.0 - spread, 1.0 + spread),
        lambda x: tf.image.random_hue(x, 0.2 * strength),
    ]
    order = tf.random.shuffle(tf.range(4))
    for slot in range(4):
        image = tf.switch_case(
            order[slot], [lambda f=f, x=image: f(x) for f in operations]
        )
        image = tf.clip_by_value(image, 0.0, 1.0)
    return image


def published_blur(size: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """A blur of half of the images where drawn, each float32 `[size, size, 3]`.

    Less work than the published code does: see `published_batch_blur`.
    """
    return lambda image: _sometimes(lambda x: _blurred(x[None], size)[0], 0.5, image)


def published_batch_blur(views: tf.Tensor) -> tf.Tensor:
    """Views `[B, 2, size, size, 3]`, half of them blurred, as the published code does.

    Its `batch_random_blur` blurs all of a batch with one sigma, then chooses.
    """
    batch, _, size, _, _ = views.shape

    def chosen(images: tf.Tensor) -> tf.Tensor:
        keep = tf.cast(tf.random.uniform([batch, 1, 1, 1]) < 0.5, images.dtype)
        images = _blurred(images, size) * keep + images * (1.0 - keep)
        return tf.clip_by_value(images, 0.0, 1.0)

    return tf.stack([chosen(views[:, 0]), chosen(views[:, 1])], axis=1)


def _blurred(images: tf.Tensor, size: int) -> tf.Tensor:
    """Images `[B, size, size, 3]`, blurred by one sigma, drawn."""
    radius = size // 10 // 2
    taps = tf.range(-radius, radius + 1, dtype=tf.float32)
    kernel = tf.exp(-(taps**2) / (2.0 * tf.random.uniform([], 0.1, 2.0) ** 2))
    kernel = kernel / tf.reduce_sum(kernel)
    for shape in ([1, -1, 1, 1], [-1, 1, 1, 1]):
        filters = tf.tile(tf.reshape(kernel, shape), [1, 1, 3, 1])
        images = tf.nn.depthwise_conv2d(images, filters, [1, 1, 1, 1], padding="SAME")
    return images


def published_loss(
    z_a: tf.Tensor, z_b: tf.Tensor, temperature: float = 0.1
) -> tf.Tensor:
    """NT-Xent with four matrices of similarities, as the published code has it."""
    z_a, z_b = (tf.math.l2_normalize(z, axis=1) for z in (z_a, z_b))
    count = tf.shape(z_a)[0]
    itself = 1e9 * tf.one_hot(tf.range(count), count)
    labels = tf.one_hot(tf.range(count), 2 * count)

    def direction(ours: tf.Tensor, theirs: tf.Tensor) -> tf.Tensor:
        between = tf.matmul(ours, theirs, transpose_b=True) / temperature
        within = tf.matmul(ours, ours, transpose_b=True) / temperature - itself
        return tf.nn.softmax_cross_entropy_with_logits(
            labels, tf.concat([between, within], axis=1)
        )

    return tf.reduce_mean(direction(z_a, z_b) + direction(z_b, z_a)) / 2


def bare_resnet18(width: float = 1.0) -> tf.keras.Model:
    """ResNet-18 with the CIFAR stem and a projection head, of Keras' layers alone."""
    layers = tf.keras.layers

    def convolved(x: tf.Tensor, filters: int, size: int, strides: int) -> tf.Tensor:
        x = layers.Conv2D(filters, size, strides, padding="same", use_bias=False)(x)
        return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)

    images = tf.keras.Input([None, None, 3])
    x = layers.ReLU()(convolved(images, int(64 * width), 3, 1))
    for group in range(4):
        filters = int(64 * 2**group * width)
        for block in range(2):
            strides = 2 if group and not block else 1
            kept = x if block else convolved(x, filters, 1, strides)
            x = layers.ReLU()(convolved(x, filters, 3, strides))
            x = layers.ReLU()(layers.Add()([convolved(x, filters, 3, 1), kept]))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(x.shape[-1], use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Dense(128, use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9, center=False)(x)
    return tf.keras.Model(images, layers.Activation("linear", dtype="float32")(x))


def bare_step(views: tf.Tensor, width: float = 1.0) -> Callable[[], None]:
    """A step of a ResNet-18 of Keras' own layers, with the published loss and SGD.

    Args:
      views: floating point `[B, 2, h, w, 3]`.
      width: factor of all channel counts.
    """
    model = bare_resnet18(width)
    optimizer = tf.keras.optimizers.SGD(0.1, momentum=0.9)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step() -> None:
        images = tf.concat([views[:, 0], views[:, 1]], axis=0)
        with tf.GradientTape() as tape:
            z_a, z_b = tf.split(model(images, training=True), 2)
            loss = published_loss(z_a, z_b)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))

    return step
