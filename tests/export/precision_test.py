"""The export computes in float32, or in what was asked for."""

import json

import pytest
import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.export import export_encoder
from simclr_tf.model import SimCLR
from tests.export.exported import (
    SIDE,
    assert_answers,
    dtypes_of,
    expected,
    photographs,
    small_model,
)

# One process, so that the model is exported once.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("exported")]


@pytest.mark.parametrize("signature", ["serving_default", "serving_uint8", "jpeg"])
def test_it_computes_in_float32_whatever_it_was_trained_in(loaded, signature):
    dtypes = dtypes_of(loaded, signature)
    assert tf.float32 in dtypes
    assert not dtypes & {tf.bfloat16, tf.float16}


def test_the_model_keeps_the_precision_it_had(trained, exported):
    layers = {layer.compute_dtype for layer in trained.encoder.layers}
    assert layers == {"bfloat16"}


def test_another_precision_may_be_asked_for(trained, tmp_path):
    export_encoder(trained, tmp_path / "encoder", image_size=SIDE, precision="bfloat16")
    metadata = json.loads((tmp_path / "encoder" / "simclr.json").read_text())
    assert metadata["precision"] == "bfloat16"
    loaded = tf.saved_model.load(str(tmp_path / "encoder"))
    assert tf.bfloat16 in dtypes_of(loaded, "serving_default")
    images = photographs(50, 60)
    got = loaded.signatures["serving_uint8"](images=images)
    assert {value.dtype for value in got.values()} == {tf.float32}
    represent = tf.function(lambda x: expected(trained, x, SIDE), autograph=False)
    assert_answers(got, represent(images))


def test_a_precision_that_cannot_be_had_is_refused(model, tmp_path):
    with pytest.raises(UserError, match=r"needs a model made under .* mixed_float16"):
        export_encoder(model, tmp_path / "encoder", precision="float16")
    with pytest.raises(UserError, match=r"precision must be one of .* got 'int8'"):
        export_encoder(model, tmp_path / "encoder", precision="int8")
    narrow = tf.keras.Sequential(
        [tf.keras.layers.Conv2D(4, 3, dtype="bfloat16", name="narrow")]
    )
    half = SimCLR(narrow, tf.keras.layers.Dense(4))
    half.build([None, SIDE, SIDE, 3])
    with pytest.raises(UserError, match="The layer narrow keeps its variables in bf"):
        export_encoder(half, tmp_path / "encoder")
    assert not (tmp_path / "encoder").exists()


@pytest.mark.exhaustive
def test_double_precision(tmp_path):
    tf.keras.backend.set_floatx("float64")
    model = small_model()
    export_encoder(model, tmp_path / "encoder", image_size=SIDE)
    images = photographs(50, 60)
    want = expected(model, images, SIDE)
    tf.keras.backend.set_floatx("float32")
    loaded = tf.saved_model.load(str(tmp_path / "encoder"))
    got = loaded.signatures["serving_uint8"](images=images)
    assert {value.dtype for value in got.values()} == {tf.float64}
    assert_answers(got, want, atol=1e-6)
