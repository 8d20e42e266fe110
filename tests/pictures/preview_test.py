"""The preview shows views, and below what each layer does, with what was drawn."""

import numpy as np

from simclr_tf.augmentation.layers_alone import LayerAlone
from simclr_tf.pictures import draw_preview


def test_views_above_and_layers_below_with_their_words():
    generator = np.random.default_rng(0)
    images = generator.uniform(size=[3, 8, 8, 3])
    views = generator.uniform(size=[3, 4, 5, 5, 3])
    layers = [
        LayerAlone("flip", generator.uniform(size=[2, 5, 5, 3]), ["", ""]),
        LayerAlone("blur", generator.uniform(size=[2, 5, 5, 3]), ["sigma 1", "2 px"]),
    ]
    figure = draw_preview(images, views, layers, "what training sees")
    figure.canvas.draw()
    above, below = figure.subfigs
    for part, rows in ((above, [[*images[:1], *views[0]]]), (below, [])):
        shown = [a.get_images()[0].get_array() for a in part.axes if a.get_images()]
        for row in rows:
            for cell, wanted in zip(shown, row):
                np.testing.assert_array_equal(cell, wanted)
    names = [axes.get_title() for axes in below.axes if axes.get_title()]
    assert names == ["image", "flip", "blur"]
    words = {}
    for axes in below.axes:
        for text in axes.texts:
            words[text.get_text()] = axes
    assert {"sigma 1", "2 px"} <= set(words)
    for row, said in enumerate(["sigma 1", "2 px"]):
        shown = words[said].get_images()[0].get_array()
        np.testing.assert_array_equal(shown, layers[1].views[row])
    # No word lies in the picture below its own.
    lower = words["2 px"].get_window_extent()
    for text in words["sigma 1"].texts:
        assert text.get_window_extent().y0 >= lower.y1
    assert figure.get_suptitle() == "what training sees"
