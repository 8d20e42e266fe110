"""Precision names give Keras policies, inside and nowhere else."""

import pytest
import tensorflow as tf

from simclr_tf.training import Recipe, build_model
from simclr_tf.training import precision as precision_module
from simclr_tf.training.precision import has_fast_bfloat16, policy
from simclr_tf.training.recipe import PRECISIONS
from tests import tiny

pytestmark = pytest.mark.slow

_POLICIES = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}


def _global():
    return tf.keras.mixed_precision.global_policy().name


@pytest.mark.parametrize(
    ("flags", "fast"),
    [
        ("fpu avx2 avx512f avx512_bf16", True),
        ("fpu avx2 amx_bf16", True),
        ("fpu avx2 avx512f", False),
        (None, False),
    ],
)
def test_a_processor_is_asked_for_its_instructions(monkeypatch, tmp_path, flags, fast):
    described = tmp_path / "cpuinfo"
    if flags is not None:
        described.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    monkeypatch.setattr(precision_module, "_CPU", str(described))
    assert has_fast_bfloat16() is fast


def test_a_gpu_counts_where_it_is_the_one_that_computes(monkeypatch, tmp_path):
    monkeypatch.setattr(precision_module, "_CPU", str(tmp_path / "none"))
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu"])
    monkeypatch.setattr(
        tf.config.experimental,
        "get_device_details",
        lambda gpu: {"compute_capability": (8, 0)},
    )
    assert has_fast_bfloat16()
    assert not has_fast_bfloat16(tf.distribute.OneDeviceStrategy("CPU:0"))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_policy_holds_inside_alone(precision):
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    with policy(precision):
        assert _global() == _POLICIES[precision]
    assert _global() == "mixed_bfloat16"


def test_an_error_inside_leaves_no_policy_behind():
    with pytest.raises(ZeroDivisionError), policy("float16"):
        raise ZeroDivisionError
    assert _global() == "float32"


def test_an_unknown_precision_is_refused_with_those_there_are():
    wanted = r"precision must be one of \('float32', 'bfloat16', 'float16'\).*float8"
    with pytest.raises(ValueError, match=wanted), policy("float8"):
        pytest.fail("the policy was entered")


@pytest.mark.parametrize(
    ("precision", "encoder"),
    [
        ("float32", tiny.NAME),
        ("bfloat16", "resnet18x0.0625"),
        ("float16", tiny.NAME),
        pytest.param("float32", "resnet18x0.0625", marks=pytest.mark.exhaustive),
        pytest.param("float16", "resnet18x0.0625", marks=pytest.mark.exhaustive),
    ],
)
def test_layers_compute_in_the_precision_and_keep_variables_in_float32(
    precision, encoder
):
    recipe = Recipe(image_size=16, encoder=encoder, precision=precision)
    model = build_model(recipe.resolve(), num_classes=3)
    kernels = [layer for layer in model.encoder.submodules if hasattr(layer, "kernel")]
    assert kernels
    assert {layer.compute_dtype for layer in kernels} == {precision}
    assert {variable.dtype for variable in model.trainable_variables} == {tf.float32}
    assert model(tf.zeros([2, 16, 16, 3])).dtype == tf.float32
    assert _global() == "float32"
