"""Writes tests/golden/torch_*: small ResNets of PyTorch, as torchvision has.

python tools/golden/torch_resnet.py tests/golden    # needs torch and safetensors

Weights are random, in 16 bits, by torchvision's names; features are those of inference,
of images as they are and of images that ImageNet's mean and deviation normalise.
"""

from __future__ import annotations

import pathlib
import sys

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_WIDTH = 4  # Of the first group, where torchvision has 64.


class Block(nn.Module):
    """A residual block, basic or a bottleneck, version 1.5."""

    def __init__(
        self, channels: int, width: int, stride: int, bottleneck: bool
    ) -> None:
        super().__init__()
        out = width * (4 if bottleneck else 1)
        # Kernel sides and strides of the convolutions.
        shape = [(1, 1), (3, stride), (1, 1)] if bottleneck else [(3, stride), (3, 1)]
        widths = [channels, *[width] * (len(shape) - 1), out]
        for place, (side, step) in enumerate(shape):
            convolution = nn.Conv2d(
                widths[place],
                widths[place + 1],
                side,
                step,
                padding=side // 2,
                bias=False,
            )
            setattr(self, f"conv{place + 1}", convolution)
            setattr(self, f"bn{place + 1}", nn.BatchNorm2d(widths[place + 1]))
        self.count = len(shape)
        self.downsample = None
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = x if self.downsample is None else self.downsample(x)
        for place in range(1, self.count + 1):
            x = getattr(self, f"bn{place}")(getattr(self, f"conv{place}")(x))
            x = torch.relu(x) if place < self.count else x
        return torch.relu(x + kept)


class ResNet(nn.Module):
    """Images `[B, 3, H, W]` to features `[B, D]`; `fc` is beside them."""

    def __init__(self, blocks: tuple[int, ...], bottleneck: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, _WIDTH, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(_WIDTH)
        self.pool = nn.MaxPool2d(3, 2, padding=1)
        channels = _WIDTH
        for group, count in enumerate(blocks):
            width = _WIDTH * 2**group
            members = []
            for place in range(count):
                stride = 2 if group > 0 and place == 0 else 1
                members.append(Block(channels, width, stride, bottleneck))
                channels = width * (4 if bottleneck else 1)
            setattr(self, f"layer{group + 1}", nn.Sequential(*members))
        self.fc = nn.Linear(channels, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(torch.relu(self.bn1(self.conv1(x))))
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
        return x.mean((2, 3))


def _randomise(model: nn.Module) -> None:
    """Weights of which none is at rest, each a number of 16 bits."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, 0.0, 0.1)
            nn.init.normal_(module.running_mean, 0.0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.0)
        elif isinstance(module, nn.Conv2d):
            # PyTorch's own are so small that features would hardly tell images apart.
            nn.init.kaiming_normal_(module.weight)
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.copy_(value.half().float())


@torch.no_grad()
def main(folder: pathlib.Path) -> None:
    """Writes the files."""
    images = {
        name: np.random.default_rng(height).random((2, height, width, 3), np.float32)
        for name, height, width in (("odd", 47, 65), ("even", 64, 48))
    }
    mean, std = np.float32(_MEAN), np.float32(_STD)
    for name, blocks in (("resnet18", (2, 2, 2, 2)), ("resnet50", (3, 4, 6, 3))):
        torch.manual_seed(0)
        model = ResNet(blocks, bottleneck=name == "resnet50").eval()
        _randomise(model)
        state = model.state_dict().items()
        halves = {n: v.half() if v.is_floating_point() else v for n, v in state}
        save_file(halves, folder / f"torch_{name}.safetensors")
        outputs = {}
        for kind, batch in images.items():
            outputs[kind] = batch
            forms = (("raw", batch), ("normalised", (batch - mean) / std))
            for form, values in forms:
                features = model(torch.from_numpy(values).permute(0, 3, 1, 2))
                outputs[f"{kind}_{form}"] = features.numpy()
        np.savez_compressed(folder / f"torch_{name}.npz", **outputs)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
