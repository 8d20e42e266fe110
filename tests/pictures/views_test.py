"""The picture shows every image and every view."""

import numpy as np
import tensorflow as tf

from simclr_tf.pictures import draw_views, save_figure


def test_every_image_and_view_has_its_place(tmp_path):
    rng = np.random.default_rng(0)
    images, views = rng.random([3, 20, 20, 3]), rng.random([3, 4, 16, 16, 3])
    figure = draw_views(images, views, "Photos")
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    expected = [picture for row in range(3) for picture in (images[row], *views[row])]
    assert len(shown) == len(expected)
    for got, picture in zip(shown, expected):
        np.testing.assert_allclose(got, picture)

    path = tmp_path / "views.png"
    save_figure(figure, str(path))
    picture = tf.io.decode_png(path.read_bytes(), channels=3).numpy()
    assert picture.shape[1] > picture.shape[0] > 200
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 1000


def test_values_out_of_range_are_clipped_and_not_stretched():
    image = np.full([1, 8, 8, 3], 1.5)
    figure = draw_views(image, -image[:, None], "")
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert shown[0].max() == 1.0
    assert shown[1].min() == 0.0
