"""Checkpoints are found and read in folders of any name, and damage is noticed."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.checkpoints.files import (
    DamagedCheckpoint,
    checkpoint_steps,
    prefix_of,
    readable,
    readable_saved_model,
    remove_checkpoint,
    rename_checkpoint,
    require_whole,
)


def _write(folder, step):
    folder.mkdir(exist_ok=True)
    values = np.arange(1000, dtype=np.float32) + step
    tf.train.Checkpoint(values=tf.Variable(values)).write(prefix_of(str(folder), step))
    return values


_NAMES = ["plain", "run[v2]", "a*b", "what?", "back\\slash"]


@pytest.mark.parametrize("name", _NAMES)
def test_a_folder_of_any_name_gives_its_states(tmp_path, name):
    folder = tmp_path / name
    assert checkpoint_steps(str(folder)) == []
    expected = {step: _write(folder, step) for step in (9, 10)}
    assert checkpoint_steps(str(folder)) == [9, 10]
    for step, values in expected.items():
        require_whole(prefix_of(str(folder), step))
        variable = tf.Variable(np.zeros(1000, np.float32))
        with readable(prefix_of(str(folder), step)) as path:
            status = tf.train.Checkpoint(values=variable).read(path)
            status.assert_existing_objects_matched()
        np.testing.assert_array_equal(variable, values)


@pytest.mark.parametrize("name", _NAMES)
def test_a_saved_model_in_a_folder_of_any_name_is_read(tmp_path, name):
    values = np.arange(3, dtype=np.float32)
    tf.saved_model.save(tf.train.Checkpoint(v=tf.Variable(values)), tmp_path / name)
    with readable_saved_model(str(tmp_path / name)) as path:
        loaded = tf.saved_model.load(path)
    np.testing.assert_array_equal(loaded.v, values)


def _damage(path, how):
    data = path.read_bytes()
    middle = len(data) // 2
    if how == "gone":
        path.unlink()
    elif how == "cut":
        path.write_bytes(data[:middle])
    elif how == "empty":
        path.write_bytes(b"")
    else:
        flipped = bytes([data[middle] ^ 255])
        path.write_bytes(data[:middle] + flipped + data[middle + 1 :])


@pytest.mark.parametrize("how", ["gone", "cut", "empty", "one byte"])
@pytest.mark.parametrize("part", ["index", "data-00000-of-00001"])
def test_damage_is_noticed(tmp_path, part, how):
    _write(tmp_path, 3)
    _damage(tmp_path / f"ckpt-3.{part}", how)
    with pytest.raises(DamagedCheckpoint):
        require_whole(prefix_of(str(tmp_path), 3))


def test_a_state_is_renamed_over_another_and_removed_whole(tmp_path):
    _write(tmp_path, 1)
    _write(tmp_path, 10)
    expected = _write(tmp_path, 11)
    rename_checkpoint(prefix_of(str(tmp_path), 11), prefix_of(str(tmp_path), 1))
    assert checkpoint_steps(str(tmp_path)) == [1, 10]
    reader = tf.train.load_checkpoint(prefix_of(str(tmp_path), 1))
    (name,) = [n for n in reader.get_variable_to_shape_map() if n.startswith("values")]
    np.testing.assert_array_equal(reader.get_tensor(name), expected)
    remove_checkpoint(prefix_of(str(tmp_path), 1))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "ckpt-10.data-00000-of-00001",
        "ckpt-10.index",
    ]
