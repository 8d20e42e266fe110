"""A script that runs an exported model where this package cannot be imported.

usage: python -I without_package.py ARGUMENTS, a JSON object of `format`, `path`,
`given` and `answers` (names of .npz files of images and of what is made of them),
`output` (of the model) and `sys_path`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

_HIDDEN = "simclr_tf"
_AT_ONCE = 16


class _Hiding:
    """Refuses to import the package."""

    def find_spec(self, name: str, *_: Any) -> None:
        if name.partition(".")[0] == _HIDDEN:
            raise ImportError(f"{name} is hidden")


def _saved_model(path: str, output: str) -> Callable[[Any], Any]:
    import tensorflow as tf

    serve = tf.saved_model.load(path).signatures["serving_default"]
    return lambda images: serve(images=tf.constant(images))[output].numpy()


def _keras(path: str, output: str) -> Callable[[Any], Any]:
    import tensorflow as tf

    model = tf.keras.models.load_model(path)
    return lambda images: model(images, training=False).numpy()


def _tflite(path: str, output: str) -> Callable[[Any], Any]:
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(model_path=path, num_threads=1)
    run = interpreter.get_signature_runner("serving_default")
    return lambda images: run(images=images)[output]


def _onnx(path: str, output: str) -> Callable[[Any], Any]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: session.run([output], {"images": images})[0]


_READERS = {
    "savedmodel": _saved_model,
    "keras": _keras,
    "tflite": _tflite,
    "onnx": _onnx,
}


def batches_of(images: list) -> list[list]:
    """Neighbours of the same shape together."""
    batches: list[list] = []
    for image in images:
        last = batches[-1] if batches else []
        if last and last[0].shape == image.shape and len(last) < _AT_ONCE:
            last.append(image)
        else:
            batches.append([image])
    return batches


def main(arguments: dict[str, Any]) -> None:
    """Answers all images, in their order."""
    sys.path += [path for path in arguments["sys_path"] if path not in sys.path]
    sys.meta_path.insert(0, _Hiding())
    import numpy as np

    run = _READERS[arguments["format"]](arguments["path"], arguments["output"])
    with np.load(arguments["given"]) as given:
        images = [given[f"arr_{place}"] for place in range(len(given.files))]
    answers = [run(np.stack(batch)) for batch in batches_of(images)]
    np.savez(arguments["answers"], answers=np.concatenate(answers))
    assert _HIDDEN not in sys.modules


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
