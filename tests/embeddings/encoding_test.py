"""A dataset is encoded part by part; what was stopped goes on where it was."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from simclr_tf.data import evaluation_batches, load
from simclr_tf.embeddings import Parts, Table, embed_source
from simclr_tf.evaluation import encode
from tests import tiny

SIZE = 16


@pytest.fixture(scope="module")
def encoder():
    tf.keras.utils.set_random_seed(1)
    model = tiny.encoder()
    model.build([None, SIZE, SIZE, 3])
    return model


@pytest.fixture(scope="module")
def source(images_npz):
    return load(f"npz:{images_npz}", "test", image_size=SIZE)


def embed(encoder, source, folder, **options):
    parts = Parts(str(folder))
    options = {"image_size": SIZE, "batch_size": 64, **options}
    return embed_source(encoder, source, parts, **options), parts


def features_of(parts):
    return np.concatenate([part.features for part in parts])


def test_it_gives_what_encode_gives(encoder, source, tmp_path):
    batches = evaluation_batches(source, batch_size=64, image_size=SIZE)
    wanted, labels = encode(encoder, batches)
    part_bytes = 4 * tiny.FEATURES * 200
    ended, parts = embed(encoder, source, tmp_path / "p", part_bytes=part_bytes)
    assert ended
    assert [len(part.features) for part in parts] == [256, 256, 256, 232]
    np.testing.assert_array_equal(features_of(parts), wanted)
    np.testing.assert_array_equal(np.concatenate([p.labels for p in parts]), labels)


def test_what_was_stopped_goes_on_where_it_was(encoder, source, tmp_path):
    """After any number of batches, and with batches of another size."""
    asked = []

    def stop_after_three():
        asked.append(1)
        return len(asked) == 3

    stopping = embed(encoder, source, tmp_path / "p", should_stop=stop_after_three)
    assert not stopping[0]
    assert Parts(str(tmp_path / "p")).count == 3 * 64
    read = []
    unpatched = type(source).read

    def note(self, indices):
        return unpatched(self, indices.map(noting))

    def noting(places):
        noted = tf.py_function(lambda i: read.extend(i.numpy()), [places], [])
        with tf.control_dependencies([noted]):
            return tf.identity(places)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(source), "read", note)
        ended, parts = embed(encoder, source, tmp_path / "p", batch_size=100)
    assert ended
    assert sorted(read) == list(range(3 * 64, 1000))  # Nothing is encoded again.
    whole = embed(encoder, source, tmp_path / "whole")[1]
    np.testing.assert_allclose(features_of(parts), features_of(whole), atol=1e-6)
    # All is done: the encoder is not called any more.
    assert embed(None, source, tmp_path / "p")[0]


def test_an_error_keeps_what_was_encoded(encoder, source, tmp_path):
    calls = []

    def failing():
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("a cable was pulled")

    with pytest.raises(RuntimeError, match="cable"):
        embed(encoder, source, tmp_path / "p", should_stop=failing)
    assert Parts(str(tmp_path / "p")).count == 128


def test_a_part_is_kept_after_a_while(encoder, source, tmp_path):
    parts = embed(encoder, source, tmp_path / "p", part_seconds=0.0)[1]
    assert [len(part.features) for part in parts] == [64] * 15 + [40]


def test_images_that_cannot_be_read_are_left_out_after_a_stop_too(encoder, tmp_path):
    """Who goes on has not read the earlier ones, and knows of them from the parts."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for place in range(30):
        path = folder / f"{place:02}.png"
        Image.fromarray(np.full([9, 9, 3], 8 * place, np.uint8)).save(path)
        if place in (3, 25):
            contents = bytearray(path.read_bytes())
            contents[contents.index(b"IDAT") + 12] ^= 0xFF  # Both ends look whole.
            path.write_bytes(contents)

    def load_it():
        return load(f"folder:{folder}", "train", image_size=SIZE)

    def embed_some(should_stop):
        return embed(
            encoder, load_it(), tmp_path / "p", batch_size=5, should_stop=should_stop
        )[1]

    stops = iter([False, True])
    assert embed_some(lambda: next(stops)).count == 10
    parts = embed_some(lambda: False)
    table = Table(load_it(), parts)
    assert table.bad.tolist() == [3, 25]
    index = np.concatenate([block.index for block in table.blocks()])
    assert index.tolist() == [i for i in range(30) if i not in (3, 25)]
    paths = [path for block in table.blocks() for path in block.paths]
    assert [path[-6:-4] for path in paths] == [f"{i:02}" for i in index]
