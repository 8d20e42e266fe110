"""NT-Xent is equation 1, in value and gradient, in any precision and blocking."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.loss import NTXent, contrast, nt_xent
from tests.loss import reference


def _projections(count, width=32, seed=0):
    generator = np.random.default_rng(seed)
    z_a = generator.normal(size=[count, width])
    return z_a, z_a + generator.normal(size=[count, width])


def _value_and_gradients(z_a, z_b, **settings):
    z_a, z_b = tf.convert_to_tensor(z_a), tf.convert_to_tensor(z_b)
    with tf.GradientTape() as tape:
        tape.watch([z_a, z_b])
        loss = nt_xent(z_a, z_b, **settings)
    return loss, *tape.gradient(loss, [z_a, z_b])


def _assert_close(got, expected, tolerance):
    scale = np.abs(expected).max()
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * scale)


def _assert_is_reference(got, z_a, z_b, temperature, tolerance):
    """Compares loss and gradients with the reference.

    The yardstick is the size of the terms that the formula subtracts: logits of
    1/T in the loss, u/(2nT|z|) in a gradient row. Where the positive wins by far
    they cancel to almost nothing, and what is left is their rounding.
    """
    expected = reference.nt_xent(z_a, z_b, temperature)
    loss_scale = expected[0] + 1.0 / temperature
    assert abs(float(got[0]) - expected[0]) <= tolerance * loss_scale
    for ours, theirs, z in zip(got[1:], expected[1:], (z_a, z_b)):
        length = np.linalg.norm(z, axis=1, keepdims=True)
        scale = 1.0 / (2 * len(z) * temperature * length)
        error = np.abs(np.asarray(ours, np.float64) - theirs) / scale
        assert error.max() <= tolerance


@pytest.mark.parametrize("case", range(5))
@pytest.mark.parametrize("block_size", [None, 24])
def test_agrees_with_the_published_numbers(golden_folder, case, block_size):
    golden = np.load(golden_folder / "nt_xent.npz")
    hidden = golden[f"{case}_hidden"]
    loss, d_a, d_b = _value_and_gradients(
        *np.split(hidden, 2),
        temperature=float(golden[f"{case}_temperature"]),
        normalize=bool(golden[f"{case}_normalize"]),
        block_size=block_size,
    )
    # The published loss sums both directions.
    assert 2 * float(loss) == pytest.approx(
        float(golden[f"{case}_loss_two_directions"]), rel=1e-6
    )
    expected = golden[f"{case}_grad_two_directions"]
    _assert_close(2 * np.concatenate([d_a, d_b]), expected, 1e-5)


@pytest.mark.parametrize("temperature", [0.01, 0.1, 0.5, 1.0])
@pytest.mark.parametrize(
    ("count", "block_size"),
    [
        *((count, block) for count in (2, 3, 16, 129) for block in (None, 100)),
        (512, None),
        pytest.param(512, 100, marks=pytest.mark.exhaustive),
    ],
)
def test_agrees_with_the_formula_in_float64(count, temperature, block_size):
    z_a, z_b = _projections(count)
    settings = {"temperature": temperature, "block_size": block_size}
    got = _value_and_gradients(z_a, z_b, **settings)
    assert got[0].dtype == tf.float64
    _assert_is_reference(got, z_a, z_b, temperature, 1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("known", [True, False])
def test_a_large_matrix_is_never_held_unless_asked_for(known):
    temperature = 0.1
    z_a, z_b = _projections(900)
    spec = tf.TensorSpec([900 if known else None, 32], tf.float64)

    def compare(z_a, z_b):
        with tf.GradientTape() as tape:
            tape.watch([z_a, z_b])
            compared = contrast(z_a, z_b, temperature=temperature)
        return compared, tape.gradient(compared.loss, [z_a, z_b])

    traced = tf.function(compare).get_concrete_function(spec, spec)
    if known:
        held = {
            tuple(tensor.shape)
            for operation in traced.graph.get_operations()
            for tensor in operation.outputs
            if tensor.shape.rank == 2
        }
        assert (1800, 32) in held
        assert (1800, 1800) not in held
    (loss, accuracy, entropy), gradients = traced(tf.constant(z_a), tf.constant(z_b))
    whole = contrast(z_a, z_b, temperature=temperature, block_size=1800)
    _assert_is_reference((loss, *gradients), z_a, z_b, temperature, 1e-12)
    assert float(accuracy) == float(whole.accuracy)
    assert float(entropy) == pytest.approx(float(whole.entropy), rel=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0])
@pytest.mark.parametrize("count", [2, 64, 512])
def test_is_computed_in_float32_whatever_comes_in(dtype, temperature, count):
    z_a, z_b = (tf.cast(z, dtype) for z in _projections(count))
    loss, d_a, d_b = _value_and_gradients(z_a, z_b, temperature=temperature)
    assert loss.dtype == tf.float32
    # Gradients leave in the projections' own dtype, rounded once at the end.
    rounding = {"float32": 2e-5, "bfloat16": 2**-8, "float16": 2**-10}[dtype]
    exact_a, exact_b = (tf.cast(z, tf.float64).numpy() for z in (z_a, z_b))
    got = (loss, tf.cast(d_a, tf.float64), tf.cast(d_b, tf.float64))
    _assert_is_reference(got, exact_a, exact_b, temperature, rounding)
    _assert_is_reference((loss,), exact_a, exact_b, temperature, 1e-6)


def test_without_normalisation_is_the_formula_too():
    z_a, z_b = _projections(40)
    got = _value_and_gradients(z_a, z_b, temperature=0.7, normalize=False)
    for ours, theirs in zip(got, reference.nt_xent(z_a, z_b, 0.7, normalize=False)):
        _assert_close(ours, theirs, 1e-12)


def test_does_not_care_for_order_or_which_view_is_first():
    z_a, z_b = _projections(30)
    order = np.random.default_rng(1).permutation(30)
    loss = float(nt_xent(z_a, z_b))
    assert float(nt_xent(z_b, z_a)) == pytest.approx(loss, rel=1e-12)
    assert float(nt_xent(z_a[order], z_b[order])) == pytest.approx(loss, rel=1e-12)


def test_identical_views_far_from_others_cost_nothing():
    z = tf.eye(8)
    assert float(nt_xent(z, z, temperature=0.01)) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("block_size", [None, 8])
def test_collapsed_projections_cost_the_log_of_the_candidates(block_size):
    z = tf.ones([16, 4])
    compared = contrast(z, z, block_size=block_size)
    assert float(compared.loss) == pytest.approx(np.log(31), rel=1e-6)
    assert float(compared.entropy) == pytest.approx(np.log(31), rel=1e-6)
    assert float(compared.accuracy) == 0.0


@pytest.mark.parametrize("temperature", [0.02, 0.1])
@pytest.mark.parametrize("block_size", [None, 7, 64, 1000])
def test_metrics_are_what_a_plain_loop_counts(block_size, temperature):
    z_a, z_b = _projections(32, width=6)
    z = np.concatenate([z_a, z_b])
    u = z / np.linalg.norm(z, axis=1, keepdims=True)
    hits, entropies = [], []
    for anchor in range(64):
        others = [other for other in range(64) if other != anchor]
        similarity = u[others] @ u[anchor] / temperature
        hits.append(others[int(np.argmax(similarity))] == (anchor + 32) % 64)
        probability = np.exp(similarity - similarity.max())
        probability /= probability.sum()
        entropies.append(-np.sum(probability * np.log(probability)))
    compared = contrast(z_a, z_b, temperature=temperature, block_size=block_size)
    assert float(compared.accuracy) == pytest.approx(np.mean(hits))
    assert float(compared.entropy) == pytest.approx(np.mean(entropies), rel=1e-9)


@pytest.mark.parametrize("block_size", [None, 16])
@pytest.mark.parametrize(
    ("temperature", "dtype", "tolerance"),
    # Where logits of 50 cancel to a loss of 0.001, float32 would hide an error.
    [(0.1, tf.float32, 1e-5), (0.02, tf.float64, 1e-11)],
)
def test_compiles_for_xla_with_the_same_gradients(
    block_size, temperature, dtype, tolerance
):
    z_a, z_b = (tf.constant(z, dtype) for z in _projections(24))

    def run(z_a, z_b):
        return _value_and_gradients(
            z_a, z_b, block_size=block_size, temperature=temperature
        )

    for ours, theirs in zip(
        tf.function(run, jit_compile=True)(z_a, z_b), run(z_a, z_b)
    ):
        _assert_close(ours, theirs.numpy(), tolerance)


def test_extreme_logits_stay_finite():
    z_a, z_b = _projections(16)
    z_a[3] = 0.0
    for block_size in (None, 5):
        values = _value_and_gradients(
            z_a.astype(np.float32) * 1e4,
            z_b.astype(np.float32) * 1e4,
            temperature=1e-3,
            block_size=block_size,
        )
        for value in values:
            assert np.isfinite(value).all()


def test_keras_loss_is_the_function_and_is_rebuilt_from_its_config():
    z_a, z_b = _projections(12)
    loss = NTXent(temperature=0.3, block_size=4)
    again = tf.keras.losses.deserialize(tf.keras.losses.serialize(loss))
    expected = float(nt_xent(z_a, z_b, temperature=0.3))
    for each in (loss, again):
        assert float(each(z_a, z_b)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("block_size", [None, 5])
def test_keras_loss_gives_and_weighs_the_losses_of_examples(block_size):
    z_a, z_b = _projections(12)
    settings = {"temperature": 0.3, "block_size": block_size}
    losses = NTXent(reduction="none", **settings)(z_a, z_b).numpy()
    assert losses.shape == (12,)
    assert losses.mean() == pytest.approx(float(nt_xent(z_a, z_b, **settings)))

    # Equation 1, term by term.
    z = np.concatenate([z_a, z_b]).astype(np.float64)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    similarity = z @ z.T / 0.3
    np.fill_diagonal(similarity, -np.inf)
    terms = np.log(np.exp(similarity).sum(axis=1))
    terms -= similarity[np.arange(24), np.roll(np.arange(24), 12)]
    np.testing.assert_allclose(losses, terms.reshape(2, 12).mean(axis=0), rtol=1e-5)

    weights = np.linspace(0.0, 1.0, 12)
    weighted = NTXent(**settings)(z_a, z_b, sample_weight=weights)
    assert float(weighted) == pytest.approx((losses * weights).mean(), rel=1e-5)
    total = NTXent(reduction="sum", **settings)(z_a, z_b)
    assert float(total) == pytest.approx(losses.sum(), rel=1e-5)


@pytest.mark.parametrize("block_size", [None, 64])
def test_a_loss_near_zero_keeps_its_digits_in_float32(block_size):
    # Pairs that all but agree and are all but orthogonal to the others.
    generator = np.random.default_rng(3)
    z_a = 10.0 * np.eye(128) + 0.3 * generator.normal(size=[128, 128])
    z_b = z_a + 0.1 * generator.normal(size=[128, 128])
    exact, *_ = reference.nt_xent(z_a, z_b, 0.06)
    got = nt_xent(
        z_a.astype(np.float32),
        z_b.astype(np.float32),
        temperature=0.06,
        block_size=block_size,
    )
    assert 1e-6 < exact < 1e-3
    assert float(got) == pytest.approx(exact, abs=3e-7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([4, 8], [4, 8], {"temperature": float("inf")}), "greater than 0 and finite"),
        (([4, 8], [4, 8], {"temperature": float("nan")}), "greater than 0 and finite"),
        (([4, 8], [5, 8], {}), "same shape"),
        (([4], [4], {}), "same shape"),
        (([4, 8], [4, 8], {"temperature": 0.0}), "temperature must be greater than 0"),
        (([4, 8], [4, 8], {"block_size": 0}), "block_size must be at least 1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    shape_a, shape_b, settings = arguments
    with pytest.raises(ValueError, match=message):
        nt_xent(tf.zeros(shape_a), tf.zeros(shape_b), **settings)
