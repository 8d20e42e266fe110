"""ResNets of PyTorch load by their state dicts' names, and give PyTorch's features."""

import functools

import numpy as np
import pytest
from safetensors.numpy import save_file

from simclr_tf.checkpoints import load_published
from simclr_tf.checkpoints.published import PublishedWeights
from simclr_tf.checkpoints.weight_files import read_arrays
from simclr_tf.encoder import ResNet, make_encoder
from simclr_tf.errors import UserError
from simclr_tf.head import ProjectionHead
from simclr_tf.model import SimCLR

pytestmark = pytest.mark.slow

_WIDTH = 0.0625
_CHILDREN = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")


@functools.cache
def _encoder(depth, normalised=False):
    """An encoder whose weights no test may rely on."""
    if normalised:
        encoder = make_encoder(f"resnet{depth}x{_WIDTH}-torch", image_size=64)
    else:
        encoder = ResNet(depth, width_multiplier=_WIDTH, torchvision=True)
    encoder(np.zeros([1, 64, 64, 3], np.float32))
    return encoder


@pytest.fixture(scope="module")
def arrays(golden_folder):
    return read_arrays(str(golden_folder / "torch_resnet18.safetensors"))


@pytest.fixture(scope="module")
def expected(golden_folder):
    with np.load(golden_folder / "torch_resnet18.npz") as file:
        return dict(file)


def _reset(encoder):
    encoder.set_weights([0 * w for w in encoder.get_weights()])
    return encoder


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize(
    "form", [pytest.param("raw", marks=pytest.mark.exhaustive), "normalised"]
)
def test_features_are_those_of_pytorch(golden_folder, depth, form):
    """At sides that strides divide and at those that they do not."""
    encoder = _encoder(depth, form == "normalised")
    path = str(golden_folder / f"torch_resnet{depth}.safetensors")
    loaded = PublishedWeights(path).load_into_encoder(encoder)
    assert loaded.variables == len(encoder.variables)
    assert loaded.unused == ("fc.bias", "fc.weight")
    with np.load(golden_folder / f"torch_resnet{depth}.npz") as wanted:
        for size in ("odd", "even"):
            features = encoder(wanted[size], training=False)
            np.testing.assert_allclose(
                features, wanted[f"{size}_{form}"], rtol=1e-5, atol=1e-4
            )


def _sequential(name):
    """A name of torchvision's as in `nn.Sequential(*list(resnet.children()))`."""
    child, _, rest = name.partition(".")
    return f"{_CHILDREN.index(child)}.{rest}"


def _renamed(arrays, style):
    """The state dict as a library names it, with what else that one keeps."""
    encoder = {name: v for name, v in arrays.items() if not name.startswith("fc.")}
    if style == "torchvision":
        return encoder
    if style == "lightly":
        renamed = {f"backbone.{_sequential(n)}": v for n, v in encoder.items()}
        follows = {
            n.replace("backbone", "backbone_momentum"): v for n, v in renamed.items()
        }
        head = {"projection_head.layers.0.weight": np.ones([32, 32], np.float32)}
        return {**follows, **renamed, **head}
    if style == "lightly's own":  # Its ResNets for small images, without such places.
        children = ["conv1", "bn1", "layer1", "layer2", "layer3", "layer4"]
        places = {child: str(place) for place, child in enumerate(children)}
        return {
            ".".join(["backbone", places[child], *rest]).replace(
                "downsample", "shortcut"
            ): v
            for n, v in encoder.items()
            for child, *rest in [n.split(".")]
        }
    prefix = {"solo-learn": "backbone", "solo-learn's first": "encoder"}[style]
    renamed = {f"{prefix}.{name}": value for name, value in encoder.items()}
    momentum = {
        f"momentum_{name}": np.asarray(-value) for name, value in renamed.items()
    }
    classifier = {
        "classifier.weight": arrays["fc.weight"],
        "classifier.bias": arrays["fc.bias"],
        "projector.0.weight": np.ones([7, 32], np.float32),
    }
    return {**momentum, **renamed, **classifier}


@pytest.mark.parametrize(
    "style",
    ["torchvision", "lightly", "lightly's own", "solo-learn", "solo-learn's first"],
)
def test_names_of_each_library_are_understood(style, arrays, expected, tmp_path):
    path = str(tmp_path / "weights.npz")
    renamed = _renamed(arrays, style)
    np.savez(path, **renamed)
    encoder = _reset(_encoder(18))
    published = PublishedWeights(path)
    assert published.encoder_name == f"resnet18x{_WIDTH}-torch"
    loaded = published.load_into_encoder(encoder)
    assert loaded.variables == len(encoder.variables)
    weights = [name for name in renamed if not name.endswith("num_batches_tracked")]
    assert loaded.variables + len(loaded.unused) == len(weights)
    features = encoder(expected["even"], training=False)
    np.testing.assert_allclose(features, expected["even_raw"], rtol=1e-5, atol=1e-4)


def test_the_classifier_goes_into_the_probe_and_the_head_stays(arrays, tmp_path):
    path = str(tmp_path / "weights.safetensors")
    save_file(_renamed(arrays, "solo-learn"), path)
    model = SimCLR(_encoder(18), ProjectionHead(num_layers=1), num_classes=5)
    model.build((None, 64, 64, 3))
    head = model.projection_head.get_weights()
    loaded = load_published(path, model)
    np.testing.assert_array_equal(model.probe.kernel, arrays["fc.weight"].T)
    np.testing.assert_array_equal(model.probe.bias, arrays["fc.bias"])
    assert loaded.kept == ("projection_head",)
    assert dict(zip(loaded.unused, loaded.shapes))["projector.0.weight"] == (7, 32)
    for old, new in zip(head, model.projection_head.get_weights()):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"conv1.weight": np.ones([4, 3, 3, 3], np.float32)},
            r"conv1.weight has shape \(3, 3, 3, 4\) in the checkpoint and \(7, 7, 3",
        ),
        (
            {"layer1.0.conv1.bias": np.ones([4], np.float32)},
            r"layer1.0.conv1.bias \(4,\) is in the checkpoint and not in the model",
        ),
        ({"layer3.1.bn2.running_var": None}, r"layer3.1.bn2.running_var is missing"),
        ({"bn1.bias": np.ones([4], np.int64)}, r"bn1.bias is of int64"),
    ],
)
def test_what_does_not_map_is_named_and_nothing_is_changed(
    arrays, change, message, tmp_path
):
    path = str(tmp_path / "weights.npz")
    changed = {**arrays, **change}
    np.savez(path, **{name: v for name, v in changed.items() if v is not None})
    encoder = _encoder(18)
    before = encoder.get_weights()
    with pytest.raises(UserError, match=message):
        PublishedWeights(path).load_into_encoder(encoder)
    for old, new in zip(before, encoder.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_another_depth_is_told_by_name(golden_folder):
    path = str(golden_folder / "torch_resnet50.safetensors")
    with pytest.raises(UserError, match=f"encoder is resnet50x{_WIDTH}-torch by its"):
        PublishedWeights(path).load_into_encoder(_encoder(18))


def test_a_resnet_that_pads_otherwise_is_refused(golden_folder):
    path = str(golden_folder / "torch_resnet50.safetensors")
    encoder = ResNet(50, width_multiplier=_WIDTH)
    with pytest.raises(UserError, match=r"take --encoder=resnet50x0\.0625-torch, or"):
        PublishedWeights(path).load_into_encoder(encoder)


def test_several_encoders_and_none_are_refused(arrays, tmp_path):
    path = str(tmp_path / "weights.npz")
    np.savez(
        path, **{f"{p}.{n}": v for n, v in arrays.items() for p in ("left", "right")}
    )
    with pytest.raises(UserError, match=r"several ResNets, left\., right\."):
        PublishedWeights(path)
    np.savez(path, **{"blocks.0.weight": np.ones([2, 3])})
    with pytest.raises(UserError, match=r"begins with blocks\.0\.weight \(2, 3\)"):
        PublishedWeights(path)
