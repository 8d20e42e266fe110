"""Weights in the layout of the published code for TensorFlow 1 give its numbers."""

import functools
import shutil

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.checkpoints import load_published
from simclr_tf.checkpoints.published import PublishedWeights
from simclr_tf.encoder import ResNet
from simclr_tf.errors import UserError
from simclr_tf.head import ProjectionHead
from simclr_tf.model import SimCLR
from tests import sample_images
from tests.checkpoints.tf1_net import Tf1Net

pytestmark = pytest.mark.slow

_CLASSES, _OUT = 5, 128
# Of the published code, and what the same is called here.
_FORMS = {
    "basic": (
        {"filters": 8, "blocks": (2, 2, 2, 2), "bottleneck": False, "small_stem": True},
        {"depth": 18, "width_multiplier": 0.125, "cifar_stem": True},
    ),
    "bottleneck": (
        {"filters": 4, "blocks": (2, 1), "bottleneck": True},
        {"depth": 50, "width_multiplier": 0.0625, "blocks": (2, 1)},
    ),
    "selective": (
        {"filters": 4, "blocks": (2, 1), "bottleneck": True, "sk_ratio": 0.0625},
        {
            "depth": 50,
            "width_multiplier": 0.0625,
            "blocks": (2, 1),
            "sk_ratio": 0.0625,
        },
    ),
}


@functools.cache
def _images():
    return tf.constant(sample_images.images(3, 32)[0] / np.float32(255))


@functools.cache
def _published(form):
    """The net, and its features, projection and logits."""
    net = Tf1Net()
    h = net.features(_images(), **_FORMS[form][0])
    return net, h, net.projection(h, _OUT, 3), net.logits(h, _CLASSES)


@functools.cache
def _model(form, head_layers=3, classes=_CLASSES):
    """A model of a form; no test may rely on its weights."""
    encoder = ResNet(**_FORMS[form][1])
    model = SimCLR(encoder, ProjectionHead(num_layers=head_layers), num_classes=classes)
    model.build((None, 32, 32, 3))
    return model


def _with_other_heads(form, head_layers=3, classes=_CLASSES):
    head = ProjectionHead(num_layers=head_layers)
    model = SimCLR(_model(form).encoder, head, num_classes=classes)
    model.build((None, 32, 32, 3))
    return model


def _assert_close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("form", _FORMS)
def test_features_projection_and_logits_are_those_of_the_published_net(form, tmp_path):
    net, *expected = _published(form)
    model = _model(form)
    loaded = load_published(net.save(f"{tmp_path}/model.ckpt-7"), model)
    assert loaded.variables == len(net.values) == len(model.weights)
    assert loaded.unused == loaded.kept == ()
    h = model(_images(), training=False)
    z = model.projection_head(h, training=False)
    for ours, theirs in zip((h, z, model.probe(h)), expected):
        assert np.std(theirs) > 0.01
        _assert_close(ours, theirs)


def test_a_folder_and_a_hub_module_are_read(tmp_path):
    """Also a folder that was moved since its `checkpoint` file was written."""
    net, *_ = _published("basic")
    model = _model("basic")
    (tmp_path / "hub" / "variables").mkdir(parents=True)
    net.save(f"{tmp_path}/hub/variables/variables")
    (tmp_path / "hub" / "saved_model.pb").write_bytes(b"of another code")
    net.save(f"{tmp_path}/folder/model.ckpt-7")
    shutil.copytree(tmp_path / "folder", tmp_path / "moved")
    state = 'model_checkpoint_path: "/elsewhere/folder/model.ckpt-7"\n'
    (tmp_path / "moved" / "checkpoint").write_text(state)
    name = "base_model/conv2d_3/kernel"
    for place in ("hub", "folder", "moved"):
        model.encoder.set_weights([0 * w for w in model.encoder.get_weights()])
        load_published(str(tmp_path / place), model)
        third = model.encoder.groups[0].layers[0].branch.layers[2]
        np.testing.assert_array_equal(third.convolution.kernel, net.values[name])


def test_v1_has_no_head_and_ours_stays_as_it_was(tmp_path):
    """Nor has a file before linear evaluation a classifier."""
    net, h, *_ = _published("basic")
    bare = Tf1Net()
    bare.values = {k: v for k, v in net.values.items() if k.startswith("base_model")}
    path = bare.save(f"{tmp_path}/model.ckpt-7")
    model = _model("basic")
    before = [*model.projection_head.get_weights(), *model.probe.get_weights()]
    loaded = load_published(path, model)
    assert loaded.variables == len(model.encoder.weights)
    assert loaded.kept == ("projection_head", "probe")
    assert "none of the projection head and probe" in str(loaded)
    after = [*model.projection_head.get_weights(), *model.probe.get_weights()]
    for old, new in zip(before, after):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_allclose(
        model(_images(), training=False), h, rtol=1e-4, atol=1e-5
    )


def test_an_encoder_alone_takes_none_of_the_heads(tmp_path):
    net, h, *_ = _published("basic")
    published = PublishedWeights(net.save(f"{tmp_path}/model.ckpt-7"))
    encoder = _model("basic").encoder
    encoder.set_weights([0 * w for w in encoder.get_weights()])
    loaded = published.load_into_encoder(encoder)
    heads = {n: np.shape(v) for n, v in net.values.items() if n.startswith("head_")}
    assert dict(zip(loaded.unused, loaded.shapes)) == heads
    np.testing.assert_allclose(
        encoder(_images(), training=False), h, rtol=1e-4, atol=1e-5
    )


def test_a_model_without_a_probe_leaves_the_classifier(tmp_path):
    net, *_ = _published("basic")
    model = _with_other_heads("basic", classes=None)
    loaded = load_published(net.save(f"{tmp_path}/model.ckpt-7"), model)
    path = "head_supervised/linear_layer/dense"
    assert loaded.unused == (f"{path}/bias", f"{path}/kernel")
    assert f"{path}/kernel (64, 5)" in str(loaded)


@pytest.mark.parametrize(
    ("heads", "message"),
    [
        ({"head_layers": 2}, r"nl_1/dense/kernel has shape \(64, 64\)"),
        ({"head_layers": 0}, r"nl_0/dense/kernel \(64, 64\) is in the checkpoint and"),
        ({"classes": 7}, r"\(64, 5\) in the checkpoint and \(64, 7\)"),
    ],
)
def test_other_heads_are_named_and_nothing_is_changed(heads, message, tmp_path):
    net, *_ = _published("basic")
    model = _with_other_heads("basic", **heads)
    before = model.get_weights()
    path = net.save(f"{tmp_path}/model.ckpt-7")
    with pytest.raises(UserError, match=message) as raised:
        load_published(path, model)
    assert "head has 3 layers" in str(raised.value)
    assert "resnet18x0.125 by its shapes, with the stem for small" in str(raised.value)
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_another_encoder_and_a_damaged_one_are_named(tmp_path):
    net, *_ = _published("selective")
    path = net.save(f"{tmp_path}/model.ckpt-7")
    with pytest.raises(UserError, match=r"conv2d/kernel has shape \(3, 3, 3, 2\)"):
        load_published(path, _model("bottleneck"))
    cut = Tf1Net()
    cut.values = dict(net.values)
    last = max(k for k in net.values if k.endswith("_9/moving_mean"))
    del cut.values[last]
    path = cut.save(f"{tmp_path}/cut")
    with pytest.raises(UserError, match=f"{last} is missing from the checkpoint"):
        load_published(path, _model("selective"))
    path = net.save(f"{tmp_path}/more", **{"base_model/conv2d/bias": np.zeros(2)})
    with pytest.raises(UserError, match=r"conv2d/bias \(2,\) is in the checkpoint and"):
        load_published(path, _model("selective"))


def test_padding_of_another_kind_is_refused(tmp_path):
    net, *_ = _published("basic")
    path = net.save(f"{tmp_path}/model.ckpt-7")
    encoder = ResNet(18, width_multiplier=0.125, cifar_stem=True, torchvision=True)
    with pytest.raises(UserError, match=r"take --encoder=resnet18x0\.125, or"):
        load_published(path, SimCLR(encoder, ProjectionHead()))


def test_other_variables_are_refused(tmp_path):
    net = Tf1Net()
    net.values = {"resnet/conv1/kernel": np.zeros([2])}
    path = net.save(f"{tmp_path}/model.ckpt-7")
    with pytest.raises(UserError, match="begins with global_step, resnet/conv1/kernel"):
        load_published(path, _model("basic"))


@pytest.mark.parametrize(
    ("filters", "sk_ratio", "blocks", "name"),
    [
        (64, 0.0, (3, 4, 6, 3), "resnet50"),
        (128, 0.0, (3, 4, 23, 3), "resnet101x2"),
        (192, 0.0625, (3, 8, 36, 3), "resnet152x3-sk"),
        (64, 0.0625, (3, 4, 6, 3), "resnet50-sk"),
    ],
)
def test_the_architecture_is_told_by_its_shapes(
    filters, sk_ratio, blocks, name, tmp_path
):
    """Convolutions in their number, those of the stem in their shape."""
    stem = [(3, 3, 3, filters // 2), (3, 3, filters // 2, filters // 2)]
    stem = [*stem, (3, 3, filters // 2, filters)] if sk_ratio else [(7, 7, 3, filters)]
    count = len(stem) + sum(blocks) * (5 if sk_ratio else 3) + 4
    net = Tf1Net()
    for place in range(count):
        path = f"base_model/conv2d{f'_{place}' if place else ''}/kernel"
        net.values[path] = np.zeros(stem[place] if place < len(stem) else (1, 1, 1, 1))
    published = PublishedWeights(net.save(f"{tmp_path}/model.ckpt-7"))
    assert published.encoder_name == name
    assert not published.has_cifar_stem
