"""`simclr export`: an encoder or a classifier for others to use."""

from __future__ import annotations

import os

from absl import flags

from simclr_tf.checkpoints.files import is_pattern, readable_saved_model
from simclr_tf.cli import encoder_flags, exportable, output
from simclr_tf.cli.command import UsageError, Work
from simclr_tf.cli.export_images import Images, load_images
from simclr_tf.cli.exportable import Exportable
from simclr_tf.data import NOTATION
from simclr_tf.export import export_classifier, export_encoder
from simclr_tf.export.agreement import LIMITS, Agreement, check
from simclr_tf.export.formats import (
    ENDINGS,
    FORMATS,
    export_file,
    require_format,
    with_input_size,
)
from simclr_tf.export.served import Served
from simclr_tf.export.tflite import QUANTIZATIONS
from simclr_tf.image_size import image_size_text, parse_image_size
from simclr_tf.messages import say

_LOADED_BY = {
    "keras": "keras.models.load_model({path!r}) of Keras 2 (tf-keras) loads it",
    "tflite": "tf.lite.Interpreter({path!r}) loads it",
    "onnx": "onnxruntime.InferenceSession({path!r}) loads it",
}


def _define(values: flags.FlagValues) -> None:
    encoder_flags.define(values)
    flags.DEFINE_enum(
        "format",
        "savedmodel",
        list(FORMATS),
        "what to write: a folder that TensorFlow loads, or a file",
        flag_values=values,
    )
    flags.DEFINE_string(
        "output",
        None,
        "folder or file to write; by default saved_model, encoder.keras, "
        "encoder.tflite or encoder.onnx in the run folder, of a classifier "
        "classifier.keras and so on",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "quantize",
        "none",
        list(QUANTIZATIONS),
        "of tflite: weights in float16, or all in int8, calibrated on images of "
        "--dataset",
        flag_values=values,
    )
    flags.DEFINE(
        encoder_flags.Parsed(lambda size: parse_image_size(size, "input_size")),
        "input_size",
        None,
        "of keras, tflite and onnx: side in pixels of the images that it is given, or "
        "height and width, as in 96x160, where all have one size; any size by default, "
        "for int8 the one of which the encoder sees the centre",
        flag_values=values,
    )
    flags.DEFINE_string(
        "dataset",
        None,
        "images that the export is compared with its source on, and int8 is calibrated "
        f"by: {NOTATION}; the run's own by default",
        flag_values=values,
    )
    flags.DEFINE_boolean(
        "check",
        True,
        "load the export in a process without this package, and compare its answers "
        "with its source's, before it is kept",
        flag_values=values,
    )


def _run(values: flags.FlagValues) -> None:
    file_format = values.format
    require_format(file_format, values.quantize)
    if file_format == "savedmodel" and values.input_size is not None:
        raise UsageError("--input_size is for files: a SavedModel takes any size.")
    if file_format != "savedmodel" and values.precision != "float32":
        raise UsageError(
            f"--precision={values.precision} is for a SavedModel: {file_format} is "
            "written in float32, and tflite also with --quantize."
        )
    if values.output is not None:
        output.require_writable(values.output)
    exported = exportable.load(values)
    path = values.output or os.path.join(values.run or ".", _name(exported, values))
    if file_format == "savedmodel":
        output.require_writable(path)
    else:
        output.require_writable_file(path)
    served = with_input_size(
        Served(
            exported.model, exported.image_size, exported.classes, values.input_size
        ),
        values.quantize,
    )
    calibrate = values.quantize == "int8"
    images = None
    if values.check or calibrate:
        images = load_images(
            exported,
            values.dataset,
            served.channels,
            compare=values.check,
            calibrate=calibrate,
        )
    if file_format == "savedmodel":
        _write_saved_model(values, exported, served, path, images)
    else:
        _write_file(values, served, path, images)


def _name(exported: Exportable, values: flags.FlagValues) -> str:
    """Of the folder or file to write in a run's folder."""
    if values.format == "savedmodel":
        return "saved_model"
    what = "encoder" if exported.classes is None else "classifier"
    return f"{what}{ENDINGS[values.format]}"


def _write_saved_model(
    values: flags.FlagValues,
    exported: Exportable,
    served: Served,
    path: str,
    images: Images | None,
) -> None:
    def compare(folder: str) -> None:
        if images is None:
            return
        with readable_saved_model(folder) as readable:
            found = check(served, "savedmodel", readable, images.compared)
        found.require(LIMITS[values.precision])
        say(_agreed(found, images))

    arguments = {
        "image_size": exported.image_size,
        "precision": values.precision,
        "value_range": exported.form.value_range,
        "check": compare,
    }
    if exported.classes is None:
        export_encoder(exported.model, path, **arguments)
    else:
        export_classifier(exported.model, path, classes=exported.classes, **arguments)
    if is_pattern(path):
        say(
            f"Exported to {path}. simclr --saved_model reads it there; TensorFlow "
            "itself takes such a path for a pattern: rename the folder for "
            "tf.saved_model.load."
        )
        return
    say(f"Exported to {path}; tf.saved_model.load({path!r}) needs TensorFlow alone.")


def _write_file(
    values: flags.FlagValues, served: Served, path: str, images: Images | None
) -> None:
    found = export_file(
        served,
        path,
        values.format,
        quantize=values.quantize,
        calibration=images.calibrated if images else (),
        images=images.compared if images else (),
    )
    if found is not None and images is not None:
        say(_agreed(found, images))
    size = "any size"
    if served.input_size is not None:
        size = f"{image_size_text(served.input_size)} px"
    precision = "float32" if values.quantize == "none" else values.quantize
    loaded_by = _LOADED_BY[values.format].format(path=path)
    say(
        f"Exported to {path}, in {precision}, for images of {size}, float32 in [0, 1]; "
        f"{loaded_by}. {path}.json says what it is."
    )


def _agreed(found: Agreement, images: Images) -> str:
    return (
        f"Loaded without simclr_tf, it answers {found.images} images of {images.spec} "
        f"as its source does: {found}."
    )


WORK = Work(
    define=_define,
    run=_run,
    example="simclr export --run=runs/photos --output=encoder",
)
