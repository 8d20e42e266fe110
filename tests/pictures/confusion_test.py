"""The picture of a confusion matrix says which class was taken for which."""

import numpy as np
import pytest
from PIL import Image

from simclr_tf.pictures import draw_confusion, save_figure


def _counts(classes):
    generator = np.random.default_rng(0)
    return generator.integers(0, 3, [classes] * 2) + 20 * np.eye(classes, dtype=int)


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_every_class_has_its_name_at_row_and_column(classes):
    names = [f"class {k}" for k in range(classes)]
    confusion = _counts(classes)
    axes = draw_confusion(confusion, names, "what it is").axes[0]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == names
    shown = np.asarray(axes.get_images()[0].get_array())
    np.testing.assert_allclose(shown, confusion / confusion.sum(1, keepdims=True))
    written = [text.get_text() for text in axes.texts]
    if classes <= 10:
        assert written == [str(count) for count in confusion[confusion > 0]]
    else:
        assert not written


def test_names_that_no_picture_can_hold(tmp_path):
    """Long ones, formulas, escape sequences, a thousand of them."""
    names = ["a" * 60, "$x_{", "\x1b[2J", "two\nlines"]
    save_figure(draw_confusion(_counts(4), names, "t"), str(tmp_path / "few.png"))
    many = draw_confusion(_counts(1000), [str(k) for k in range(1000)], "t")
    assert len(many.axes[0].get_xticklabels()) <= 120
    assert max(many.get_size_inches()) < 30
    with Image.open(tmp_path / "few.png") as image:
        assert 400 < max(image.size) < 1_000
