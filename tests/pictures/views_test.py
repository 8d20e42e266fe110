"""The picture shows each image beside its views, and is written as a PNG."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from simclr_tf.augmentation import SimCLRAugmenter
from simclr_tf.errors import UserError
from simclr_tf.pictures import draw_views, save_figure


def _cells(figure):
    """What each row of the figure shows, left to right."""
    rows = {}
    for axes in figure.axes:
        for shown in axes.get_images():
            place = axes.get_subplotspec()
            row = rows.setdefault(place.rowspan.start, {})
            row[place.colspan.start] = np.asarray(shown.get_array())
    return [[row[column] for column in sorted(row)] for _, row in sorted(rows.items())]


def _titles(figure):
    titles = [axes.get_title() for axes in figure.axes]
    return [title for title in titles if title]


@pytest.mark.parametrize(("rows", "columns"), [(3, 4), (1, 1), (1, 2), (2, 1)])
def test_a_row_for_each_image_and_a_cell_for_each_view(rows, columns):
    generator = np.random.default_rng(0)
    images = generator.uniform(size=[rows, 6, 8, 3])
    views = generator.uniform(size=[rows, columns, 5, 5, 3])
    figure = draw_views(images, views, "what training sees")
    cells = _cells(figure)
    assert [len(row) for row in cells] == [1 + columns] * rows
    for row, image, row_views in zip(cells, images, views):
        for cell, wanted in zip(row, [image, *row_views]):
            np.testing.assert_array_equal(cell, wanted)
    wanted = ["image", *(f"view {place + 1}" for place in range(columns))]
    assert _titles(figure) == wanted
    assert figure.get_suptitle() == "what training sees"


def test_values_out_of_range_are_clipped():
    (cells,) = _cells(
        draw_views(np.full([1, 2, 2, 3], 1.5), -np.ones([1, 1, 2, 2, 3]), "")
    )
    np.testing.assert_array_equal(cells[0], 1.0)
    np.testing.assert_array_equal(cells[1], 0.0)


def _columns_of(picture, colour):
    """Middle of the columns that have a colour in them; None where none has."""
    there = np.all(np.abs(picture.astype(int) - colour) <= 2, axis=-1)
    places = np.flatnonzero(there.any(axis=0))
    return None if there.sum() < 100 else places.mean()


def test_save_figure_writes_a_png_in_which_the_cells_stand_in_order(tmp_path):
    colours = np.array([[200, 20, 20], [20, 200, 20], [20, 20, 200]])
    cells = np.broadcast_to(colours[:, None, None] / 255.0, [3, 4, 4, 3])
    figure = draw_views(cells[:1], cells[None, 1:], "title")
    save_figure(figure, str(tmp_path / "views.png"))
    with Image.open(tmp_path / "views.png") as file:
        assert file.format == "PNG"
        picture = np.asarray(file.convert("RGB"))
    width, height = (figure.get_size_inches() * 130).astype(int)
    assert picture.shape == (height, width, 3)
    places = [_columns_of(picture, colour) for colour in colours]
    assert None not in places
    assert places == sorted(places)
    assert places[1] - places[0] > width / 5
    np.testing.assert_array_equal(picture[0, 0], [255, 255, 255])


def test_photographs_and_views_to_any_file_system(photos):
    files = sorted((photos / "train" / "bonsai").iterdir())[:2]
    photos = [tf.io.decode_jpeg(tf.io.read_file(str(file)), 3) for file in files]
    photos = tf.stack([tf.image.resize(photo, [48, 48]) / 255.0 for photo in photos])
    views = SimCLRAugmenter(32).two_views(photos).numpy()
    figure = draw_views(photos.numpy(), views, "")
    save_figure(figure, "ram://views_test.png")
    written = tf.io.read_file("ram://views_test.png").numpy()
    with Image.open(io.BytesIO(written)) as file:
        picture = np.asarray(file.convert("RGB"))
    assert picture.std() > 20
    np.testing.assert_array_equal(tf.io.decode_png(written, channels=3), picture)


def test_a_path_that_cannot_be_written_is_the_users_mistake(tmp_path):
    figure = draw_views(np.zeros([1, 2, 2, 3]), np.zeros([1, 1, 2, 2, 3]), "")
    path = str(tmp_path / "nowhere" / "views.png")
    with pytest.raises(UserError, match=r"nowhere/views\.png cannot be written"):
        save_figure(figure, path)
