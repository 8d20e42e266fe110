"""ResNet-18 and ResNet-50 in plain PyTorch, for where torchvision is missing."""

from __future__ import annotations

import torch
from torch import nn

_BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3)}


def make_encoder(name: str, image_size: int) -> tuple[nn.Module, int, str]:
    """An encoder to features `[B, D]`, D, and whose it is.

    torchvision's where that is there. Up to 64 pixels its stem is a 3x3 convolution of
    stride 1 without pooling, as in this package.

    Args:
      name: "resnet18" or "resnet50".
      image_size: side of the images in pixels.
    """
    try:
        import torchvision

        model, whose = getattr(torchvision.models, name)(), "torchvision"
    except ImportError:
        model, whose = PlainResNet(name), "plain"
    width = model.fc.in_features
    model.fc = nn.Identity()
    if image_size <= 64:
        model.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        model.maxpool = nn.Identity()
    return model, width, f"{whose} {name}"


class Block(nn.Module):
    """A residual block: two 3x3 convolutions, or three of 1x1, 3x3 and 1x1."""

    def __init__(
        self, inputs: int, filters: int, stride: int, bottleneck: bool
    ) -> None:
        super().__init__()
        outputs = 4 * filters if bottleneck else filters
        if bottleneck:
            shapes = [(inputs, filters, 1, 1), (filters, filters, 3, stride)]
            shapes.append((filters, outputs, 1, 1))
        else:
            shapes = [(inputs, filters, 3, stride), (filters, outputs, 3, 1)]
        layers: list[nn.Module] = []
        for shape in shapes:
            layers += [*_normalised(*shape), nn.ReLU(inplace=True)]
        self.branch = nn.Sequential(*layers[:-1])
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(*_normalised(inputs, outputs, 1, stride))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.branch(images) + self.shortcut(images))


class PlainResNet(nn.Module):
    """Residual network, version 1.5, with the names that torchvision's parts have."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool: nn.Module = nn.MaxPool2d(3, 2, 1)
        bottleneck = name == "resnet50"
        width, groups = 64, []
        for group, count in enumerate(_BLOCKS[name]):
            filters = 64 * 2**group
            for place in range(count):
                stride = 2 if group and not place else 1
                groups.append(Block(width, filters, stride, bottleneck))
                width = 4 * filters if bottleneck else filters
        self.groups = nn.Sequential(*groups)
        self.fc: nn.Module = nn.Linear(width, 1000)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.maxpool(torch.relu(self.bn1(self.conv1(images))))
        return self.fc(self.groups(features).mean(dim=(2, 3)))


def _normalised(
    inputs: int, outputs: int, kernel: int, stride: int
) -> tuple[nn.Module, nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return convolution, nn.BatchNorm2d(outputs)
