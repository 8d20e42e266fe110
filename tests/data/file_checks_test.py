"""What the machine has too little of is no fault of a file's."""

import resource

import pytest
import tensorflow as tf

from simclr_tf.data import candidates, prepared
from simclr_tf.data.file_checks import check, look_at
from simclr_tf.data.listing import File
from tests import sample_images


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(sample_images.jpeg(sample_images.photo(20, 20, 0)))
    return File(str(path), path.name, path.stat().st_size, 0)


@pytest.mark.parametrize(
    "read",
    [
        look_at,
        check,
        candidates._is_image,
        lambda file: prepared._of_file(file.path, 0, None),
    ],
)
def test_too_many_open_files_are_no_fault_of_a_files(photo, read):
    found = read(photo)
    assert found is True or getattr(found, "fault", found) is None
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        with pytest.raises(tf.errors.ResourceExhaustedError, match="Too many open"):
            read(photo)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
