"""Arrays are read from safetensors and npz files, and from nothing that runs code."""

import json
import pickle

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import save_file

from simclr_tf.checkpoints.weight_files import is_weight_file, read_arrays
from simclr_tf.errors import UserError


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "a.weight": rng.normal(size=(4, 3, 2, 2)).astype(np.float32),
        "b": rng.normal(size=5).astype(np.float16),
        "count": np.int64([3]),
    }


@pytest.mark.parametrize("ending", ["safetensors", "npz"])
def test_arrays_come_back_with_16_bits_as_32(arrays, tmp_path, ending):
    path = str(tmp_path / f"weights.{ending}")
    save_file(arrays, path) if ending == "safetensors" else np.savez(path, **arrays)
    read = read_arrays(path)
    assert list(read) == list(arrays) or set(read) == set(arrays)
    for name, value in arrays.items():
        np.testing.assert_array_equal(read[name], value)
    assert read["b"].dtype == np.float32


def test_bfloat16_is_read(tmp_path):
    """NumPy has no such type, so the file is put together by its format."""
    path = tmp_path / "weights.safetensors"
    values = np.float32([1.5, -2.0, 0.25]).astype(tf.bfloat16.as_numpy_dtype)
    tensor = {"dtype": "BF16", "shape": [3], "data_offsets": [0, 6]}
    header = json.dumps({"w": tensor}).encode()
    length = len(header).to_bytes(8, "little")
    path.write_bytes(length + header + values.tobytes())
    read = read_arrays(str(path))["w"]
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, [1.5, -2.0, 0.25])


class _Code:
    def __reduce__(self):
        return (exec, ("raise AssertionError('code of a pickle ran')",))


@pytest.mark.parametrize("ending", ["pth", "pt", "ckpt", "bin"])
def test_a_pickle_is_refused_with_the_line_that_converts_it(tmp_path, ending):
    path = tmp_path / f"weights.{ending}"
    path.write_bytes(pickle.dumps(_Code()))
    assert is_weight_file(str(path))
    with pytest.raises(UserError, match="is not read") as raised:
        read_arrays(str(path))
    line = str(raised.value)
    assert "\n" not in line
    code = line.split('python -c "')[1].rstrip('"')
    compile(code, "", "exec")
    assert f"torch.load('{path}'" in code
    assert f"'{tmp_path}/weights.safetensors'" in code


def test_pickles_within_an_npz_are_refused(tmp_path):
    path = str(tmp_path / "weights.npz")
    np.savez(path, w=np.array([_Code()], dtype=object))
    with pytest.raises(UserError, match=r"cannot be read as \.npz: Object arrays"):
        read_arrays(path)


@pytest.mark.parametrize("ending", ["safetensors", "npz"])
def test_damaged_and_absent_files_are_named(arrays, tmp_path, ending):
    path = tmp_path / f"weights.{ending}"
    with pytest.raises(UserError, match=rf"weights\.{ending} does not exist"):
        read_arrays(str(path))
    save_file(arrays, path) if ending == "safetensors" else np.savez(path, **arrays)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match=rf"cannot be read as \.{ending}: "):
        read_arrays(str(path))


def test_a_checkpoint_of_tensorflow_is_no_such_file(tmp_path):
    prefix = str(tmp_path / "model.ckpt")
    tf.train.Checkpoint(step=tf.Variable(1)).write(prefix)
    assert not is_weight_file(prefix)
    assert not is_weight_file(str(tmp_path))
