"""Arrays by name from `.safetensors` and `.npz` files. Pickles are never opened.

A pickle, as `torch.save` writes it, runs whatever code it holds.
"""

from __future__ import annotations

import io
import os
import zipfile
import zlib

import numpy as np
import safetensors
import tensorflow as tf

from simclr_tf.errors import UserError

_PICKLES = (".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle", ".tar")
_DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": tf.bfloat16.as_numpy_dtype,
    "I64": np.int64,
}
_CONVERT = (
    "import torch, safetensors.torch as s; "
    "d = torch.load({path!r}, map_location='cpu', weights_only=True); "
    "d = d.get('state_dict', d.get('model', d)); "
    "s.save_file({{k: v.clone() for k, v in d.items() if torch.is_tensor(v)}}, "
    "{output!r})"
)


def is_weight_file(path: str) -> bool:
    """Whether a path is a file of arrays, or of a pickle, by its ending."""
    ending = os.path.splitext(path)[1].lower()
    if ending in (".safetensors", ".npz"):
        return True
    # A checkpoint of TensorFlow is a prefix of files' names, and none itself.
    return ending in _PICKLES and is_file(path)


def is_file(path: str) -> bool:
    """Whether there is a file, not a folder, of this very name."""
    return tf.io.gfile.exists(path) and not tf.io.gfile.isdir(path)


def read_arrays(path: str) -> dict[str, np.ndarray]:
    """The arrays of a file; 16-bit floating point as float32.

    Raises:
      UserError: where the file is absent, damaged or a pickle.
    """
    stem, ending = os.path.splitext(path)
    ending = ending.lower()
    if not is_file(path):
        raise UserError(f"{path} does not exist.")
    if ending not in (".safetensors", ".npz"):
        code = _CONVERT.format(path=path, output=f"{stem}.safetensors")
        raise UserError(
            f"{path} is a pickle, which could run any code and is not read. Where "
            f'PyTorch is installed, convert it: python -c "{code}"'
        )
    read = _safetensors if ending == ".safetensors" else _npz
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            return read(file.read())
    except (
        safetensors.SafetensorError,
        zipfile.BadZipFile,
        zlib.error,
        OSError,
        ValueError,
        tf.errors.OpError,
    ) as error:
        reason = str(getattr(error, "message", error)).splitlines()
        raise UserError(
            f"{path} cannot be read as {ending}: "
            f"{reason[0] if reason else type(error).__name__}"
        ) from error


def _safetensors(contents: bytes) -> dict[str, np.ndarray]:
    arrays = {}
    for name, tensor in safetensors.deserialize(contents):
        dtype = _DTYPES.get(tensor["dtype"])
        if dtype is None:
            raise ValueError(
                f"{name} is of type {tensor['dtype']}; weights must be floating point."
            )
        values = np.frombuffer(tensor["data"], dtype).reshape(tensor["shape"])
        arrays[name] = _as_float32(values)
    return arrays


def _npz(contents: bytes) -> dict[str, np.ndarray]:
    # Without pickles NumPy refuses arrays of objects.
    with np.load(io.BytesIO(contents), allow_pickle=False) as arrays:
        return {name: _as_float32(arrays[name]) for name in arrays.files}


def _as_float32(values: np.ndarray) -> np.ndarray:
    narrow = values.dtype in (np.float16, tf.bfloat16.as_numpy_dtype)
    return values.astype(np.float32) if narrow else values
