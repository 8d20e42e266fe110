"""Images of many sizes, and how large they are."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.data import file_checks, folder_source
from simclr_tf.training import Recipe, run_images
from simclr_tf.training.run_images import RunImages

pytestmark = pytest.mark.slow


def _folder(path, sides):
    path.mkdir()
    for number, (height, width) in enumerate(sides):
        image = np.full([height, width, 3], number, np.uint8)
        tf.io.write_file(str(path / f"{number}.png"), tf.io.encode_png(image))
    return RunImages(Recipe(dataset=f"folder:{path}"))


@pytest.mark.parametrize(
    ("sides", "native"),
    [
        pytest.param(3 * [(30, 30)], 30, marks=pytest.mark.exhaustive),
        ([(200, 90), (75, 80), (40, 300)], 72),
        ([(3, 5), (4, 4), (5, 3)], 8),
    ],
)
def test_the_native_side_is_the_shorter_one_of_most_images(tmp_path, sides, native):
    images = _folder(tmp_path / "photos", sides)
    assert images.native_side == native
    assert images.count == 3


def test_no_pixel_is_read_to_learn_it(tmp_path, monkeypatch):
    images = _folder(tmp_path / "photos", [(200, 90), (75, 80), (40, 300)])
    monkeypatch.setattr(folder_source.FolderSource, "read_files", None)
    assert images.native_side == 72


def test_files_whose_header_does_not_say_are_read(tmp_path, monkeypatch):
    images = _folder(tmp_path / "photos", [(200, 90), (75, 80), (40, 300)])
    unknown = file_checks.Look("DICOM", None, None)
    monkeypatch.setattr(folder_source, "look_at", lambda file: unknown)
    assert images.native_side == 72


def test_files_whose_pixels_are_cropped_are_loaded_once(tmp_path, monkeypatch):
    images = _folder(tmp_path / "photos", [(200, 90), (75, 80)])
    small, large = (Recipe(image_size=size).resolve() for size in (32, 64))
    assert images.for_views(small) is images.for_views(large)
    # Where a canvas stands for each file, it is as large as the views need it.
    monkeypatch.setattr(run_images, "cuts_files", lambda source, augmenter: False)
    sides = [images.for_views(each).train.image_shape[0] for each in (small, large)]
    assert sides[0] < sides[1]
    assert images.for_views(small) is images.for_views(small)


def test_images_of_one_size_are_loaded_once():
    images = RunImages(Recipe(dataset="shapes:40", image_size=24))
    assert images.native_side == 24
    small, large = (Recipe(image_size=size).resolve() for size in (16, 24))
    assert images.for_views(small) is images.for_views(large)
