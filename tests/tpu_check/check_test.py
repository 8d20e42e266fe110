"""The TPU compiler, asked about real steps; it must also refuse."""

import dataclasses
import json

import pytest
import tensorflow as tf
from tensorflow.compiler.tf2xla.ops import gen_xla_ops

from simclr_tf.encoder import SyncBatchNormalization
from simclr_tf.tpu_check import (
    NOT_PROVEN,
    CompilerMissing,
    OutOfMemory,
    StepRefused,
    tpu_check,
)
from simclr_tf.training import Recipe, build_model
from tests import tiny

pytestmark = pytest.mark.slow

RECIPE = Recipe(
    image_size=32,
    encoder="resnet18x0.125",
    optimizer="lars",
    precision="bfloat16",
    batch_size=64,
).resolve()
TINY = dataclasses.replace(RECIPE, encoder=tiny.NAME)


@pytest.fixture(
    scope="module",
    params=[TINY, pytest.param(RECIPE, marks=pytest.mark.exhaustive)],
    ids=lambda recipe: recipe.encoder.rpartition(":")[2],
)
def recipe(request):
    return request.param


@pytest.fixture(scope="module")
def result(compiler, recipe):
    """A step that makes its own views, for the eight cores of four chips."""
    on_device = dataclasses.replace(recipe, augment_on="device")
    return tpu_check(
        on_device, "v3:2x2", input_size=40, num_classes=7, compiler_python=compiler
    )


def test_a_step_compiles_and_its_figures_are_plausible(result, recipe):
    assert (result.chips, result.cores, result.batch_size) == (4, 8, 64)
    assert result.hbm_bytes == 16 * 2**30
    assert 1e6 < result.planned_bytes < result.hbm_bytes
    least = 1e7 if recipe is TINY else 1e8
    assert least < result.flops < 1000 * least
    assert 1e6 < result.traffic_bytes < result.bytes_accessed
    # Images of eight examples, their seeds and labels.
    assert result.feed_bytes == 8 * (40 * 40 * 3 + 2 * 4 + 4)
    assert result.bounds.seconds > 0
    assert result.images_per_second == pytest.approx(64 / result.bounds.seconds)


def test_collectives_carry_at_least_the_gradients(result, recipe):
    assert {total.kind for total in result.collectives} == {"all-reduce"}
    assert {total.group for total in result.collectives} == {8}
    model = build_model(recipe)
    gradients = sum(4 * v.shape.num_elements() for v in model.trainable_variables)
    carried = sum(total.bytes for total in result.collectives)
    # Two views' projections, 128 wide, and their gradients.
    wanted = gradients + 2 * (2 * 64 * 128 * 4)
    assert wanted < carried < 1.5 * wanted
    # Gradients are combined; batch norm asks one by one, there and back.
    count = sum(total.count for total in result.collectives)
    norms = [m for m in model.submodules if isinstance(m, SyncBatchNormalization)]
    assert len(norms) >= 3
    assert 2 * len(norms) < count < result.sums_asked_for


def test_what_it_found_can_be_read_and_written(result):
    shown = str(result)
    for words in ("v3:2x2", "all-reduce", "planned memory", "FLOPs", "images/s"):
        assert words in shown
    written = json.loads(json.dumps(result.to_dict()))
    assert written["not_proven"] == NOT_PROVEN
    assert written["flops"] == result.flops
    assert "GiB" in result.beyond(result)


class CallingBack(tf.keras.layers.Layer):
    """A head whose projections pass through Python."""

    def __init__(self, head):
        super().__init__()
        self.head = head

    def call(self, features, training=None):
        projections = self.head(features, training=training)
        seen = tf.py_function(lambda x: x, [projections], projections.dtype)
        return tf.ensure_shape(seen, projections.shape)


class UnknownKernel(CallingBack):
    """A head that asks for a kernel which no compiler has."""

    def call(self, features, training=None):
        projections = self.head(features, training=training)
        (unknown,) = gen_xla_ops.xla_custom_call_v2(
            [tf.stop_gradient(projections)],
            call_target_name="no_such_kernel",
            backend_config="",
            has_side_effect=False,
            result_dtypes=[projections.dtype],
            result_shapes=[projections.shape],
        )
        return projections + unknown


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (CallingBack, "no TPU runs: EagerPyFunc"),
        pytest.param(
            UnknownKernel,
            "compiler refuses the step: .*no_such_kernel",
            marks=pytest.mark.exhaustive,
        ),
    ],
)
def test_a_step_that_no_tpu_runs_is_refused(compiler, head, words):
    def make_model(recipe, num_classes):
        model = build_model(recipe, num_classes=num_classes)
        model.projection_head = head(model.projection_head)
        return model

    recipe = dataclasses.replace(TINY, augment_on="host")
    with pytest.raises(StepRefused, match=words):
        tpu_check(recipe, "v3:2x2", compiler_python=compiler, make_model=make_model)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("method", "views", "side", "more"),
    [
        ("supcon", 2, 32, 4),
        ("dcl", 2, 32, 0),
        ("rotation", 4, 32, 0),
        ("jigsaw", 9, 9, 8),
        ("supervised", 1, 32, 4),
    ],
)
def test_the_step_of_every_method_compiles(compiler, method, views, side, more):
    """Fed views, and what else the method learns from: labels or seeds."""
    recipe = dataclasses.replace(TINY, method=method, augment_on="host")
    classes = 3 if method == "supervised" else None
    found = tpu_check(recipe, "v3:2x2", num_classes=classes, compiler_python=compiler)
    assert found.flops > 1e6
    assert found.feed_bytes == 8 * (views * side * side * 3 * 4 + more)


@pytest.mark.exhaustive
def test_a_step_on_crops_of_files_is_fed_less_than_a_canvas(compiler):
    on_device = dataclasses.replace(TINY, augment_on="device", image_size=72)
    result = tpu_check(on_device, "v3:2x2", compiler_python=compiler)
    # Two crops of eight examples, their seeds and the sizes of their files.
    assert result.feed_bytes == 8 * (2 * 72 * 72 * 3 + 2 * 4 + 2 * 4)


@pytest.mark.exhaustive
def test_a_step_beyond_a_cores_memory_is_refused_with_both_sizes(compiler):
    recipe = dataclasses.replace(RECIPE, batch_size=2**20)
    words = r"131072 images: it needs [\d.]+G of 15.48G"
    with pytest.raises(OutOfMemory, match=words):
        tpu_check(recipe, "v3:2x2", compiler_python=compiler)


@pytest.mark.parametrize(
    ("topology", "words"),
    [("v3-8", "such as v3:8x8"), ("v3:3x5", "no slice of v3")],
)
def test_a_topology_that_is_none_is_named(compiler, topology, words):
    with pytest.raises(ValueError, match=words):
        tpu_check(RECIPE, topology, compiler_python=compiler)


def test_cores_have_to_divide_the_batch(compiler):
    recipe = dataclasses.replace(RECIPE, batch_size=100)
    with pytest.raises(ValueError, match="multiple of the 8 cores, such as 96 or 104"):
        tpu_check(recipe, "v3:2x2", compiler_python=compiler)


def test_without_the_compiler_the_way_to_it_is_shown(tmp_path):
    with pytest.raises(CompilerMissing, match="pip install jax==") as caught:
        tpu_check(RECIPE, "v3:2x2", compiler_python=str(tmp_path / "bin" / "python"))
    assert "\n" not in str(caught.value)


@pytest.mark.exhaustive
def test_micro_batches_take_less_memory(compiler):
    """A compiler that sees both passes over a piece would keep what the first made."""

    def memory(micro_batches):
        recipe = dataclasses.replace(
            RECIPE, batch_size=2048, micro_batches=micro_batches
        )
        found = tpu_check(recipe, "v3:2x2", compiler_python=compiler)
        assert ("count one turn" in str(found)) == (micro_batches > 1)
        return found.memory["temporaries"]

    assert memory(4) < 0.6 * memory(1)
