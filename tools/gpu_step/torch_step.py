"""SimCLR's training step, written plainly in PyTorch."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from tools.gpu_step.torch_resnet import make_encoder

ONE_DRAW = "views, one draw a batch"
EACH_IMAGE = "views, image by image"
NO_VIEWS = "without views"


class SimCLR(nn.Module):
    """Encoder and projection head, with batch norm after each of its layers."""

    def __init__(
        self, encoder: str, image_size: int, layers: int, out_dim: int
    ) -> None:
        super().__init__()
        self.encoder, width, self.whose = make_encoder(encoder, image_size)
        head: list[nn.Module] = []
        for place in range(layers):
            last = place == layers - 1
            units = out_dim if last else width
            head += [nn.Linear(width, units, bias=False), nn.BatchNorm1d(units)]
            head += [] if last else [nn.ReLU(inplace=True)]
        self.head = nn.Sequential(*head)

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(views))


def nt_xent(z: torch.Tensor, temperature: float) -> torch.Tensor:
    """The loss of projections `[2 n, d]`, first views before second views."""
    z = functional.normalize(z.float())
    similarities = z @ z.T / temperature
    count = len(z)
    itself = torch.eye(count, dtype=torch.bool, device=z.device)
    similarities = similarities.masked_fill(itself, float("-inf"))
    partners = torch.arange(count, device=z.device).roll(count // 2)
    return functional.cross_entropy(similarities, partners)


def make_step(
    peer: dict[str, Any], device: torch.device, *, compiled: bool
) -> tuple[SimCLR, Callable[[torch.Tensor], torch.Tensor]]:
    """The model, and the step from views `[2 n, 3, S, S]` to their loss.

    Args:
      peer: settings of the case, see `export.py`.
      device: where it trains.
      compiled: whether the loss goes through `torch.compile`.
    """
    torch.manual_seed(0)
    # As fast as PyTorch goes by what its manual says.
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    model = SimCLR(
        peer["encoder"], peer["image_size"], peer["head_layers"], peer["head_out_dim"]
    ).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=0.1,
        momentum=peer["momentum"],
        weight_decay=peer["weight_decay"],
        fused=device.type == "cuda" or None,
    )

    def loss_of(views: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device.type, dtype=torch.bfloat16):
            projections = model(views)
        return nt_xent(projections, peer["temperature"])

    loss_function = torch.compile(loss_of) if compiled else loss_of

    def step(views: torch.Tensor) -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        loss = loss_function(views.contiguous(memory_format=torch.channels_last))
        loss.backward()
        optimizer.step()
        return loss.detach()

    return model, step


def make_views(
    peer: dict[str, Any], form: str
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Images uint8 `[n, 3, H, W]` to views `[2 n, 3, S, S]`, on the images' device.

    By torchvision's transforms, which draw once a call: `EACH_IMAGE` calls them for
    each view, as SimCLR asks; `ONE_DRAW` for each half of the batch, whose views then
    are all cropped and coloured alike, which is faster and teaches less.
    """
    from torchvision.transforms import v2

    numbers = {
        name: [float(number) for number in given.split(",") if number]
        for name, given in re.findall(r"(\w+)(?:\(([^)]*)\))?", peer["views"])
    }
    size = peer["image_size"]
    layers: list[nn.Module] = [
        v2.ToDtype(torch.float32, scale=True),
        v2.RandomResizedCrop(
            size,
            scale=(numbers["crop"][0], 1.0),
            interpolation=v2.InterpolationMode.BICUBIC,
            antialias=True,
        ),
        v2.RandomHorizontalFlip(),
    ]
    if "jitter" in numbers:
        strength = numbers["jitter"][0]
        jitter = v2.ColorJitter(*[0.8 * strength] * 3, 0.2 * strength)
        layers += [v2.RandomApply([jitter], 0.8), v2.RandomGrayscale(0.2)]
    if "blur" in numbers:
        kernel = size // 20 * 2 + 1
        layers.append(v2.RandomApply([v2.GaussianBlur(kernel, (0.1, 2.0))], 0.5))
    view = v2.Compose(layers)

    def one_draw(images: torch.Tensor) -> torch.Tensor:
        return torch.cat([view(images), view(images)])

    def each_image(images: torch.Tensor) -> torch.Tensor:
        return torch.stack([view(image) for _ in range(2) for image in images])

    return {ONE_DRAW: one_draw, EACH_IMAGE: each_image}[form]
