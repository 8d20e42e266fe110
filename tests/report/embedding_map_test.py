"""Maps and groups show the structure that features have."""

import importlib.util

import numpy as np
import pytest

from simclr_tf.report.embedding_map import clusters, principal_components, umap


@pytest.fixture
def features():
    """90 features of three directions."""
    generator = np.random.default_rng(0)
    which = np.arange(90) % 3
    return np.eye(3, 16)[which] + 0.02 * generator.normal(size=(90, 16)), which


def test_two_components_show_three_groups(features):
    found, share = principal_components(features[0])
    assert found.shape == (90, 2)
    assert 0.95 < share <= 1.0
    middles = np.stack([found[features[1] == group].mean(0) for group in range(3)])
    apart = np.linalg.norm(middles[:, None] - middles[None], axis=-1)
    assert apart[np.triu_indices(3, 1)].min() > 0.5


def test_groups_are_the_same_at_each_call_and_the_largest_is_first(features):
    found = clusters(features[0][:80], 3)
    assert np.array_equal(found, clusters(features[0][:80], 3))
    sizes = np.bincount(found)
    assert sizes.tolist() == sorted(sizes.tolist(), reverse=True)
    for group in range(3):
        assert len(set(features[1][:80][found == group])) == 1


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_or_equal_images_have_a_map_too(count):
    found, share = principal_components(np.ones((count, 4)))
    assert found.shape == (count, 2)
    assert np.isfinite(found).all()
    assert share == 1.0
    assert clusters(np.ones((count, 4))).tolist() == [0] * count


def test_umap_is_made_where_it_is_installed(features):
    found = umap(features[0])
    if importlib.util.find_spec("umap") is None:
        assert found is None
    else:
        assert found.shape == (90, 2)
