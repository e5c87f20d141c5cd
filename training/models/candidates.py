"""MONAI's networks, small, as they come: what `covenant model preflight` tries, and docs/networks.md lists.

Sizes are small, and keep every kind of layer; what is found does not depend on width. Transformers (ViT, UNETR,
SwinUNETR) need a package that the product does not bring and are not tried.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from monai.networks import nets
from torch import Tensor, nn

Candidate = tuple[Callable[[], nn.Module], tuple[int, ...]]
"""What builds the network, and the shape of one record."""

FLAT, VOLUME = (1, 32, 32), (1, 16, 16, 16)
UNET = {"in_channels": 1, "out_channels": 2, "channels": (4, 8, 16), "strides": (2, 2)}

CANDIDATES: Mapping[str, Candidate] = {
    "AttentionUnet": (lambda: nets.AttentionUnet(2, **UNET), FLAT),
    "BasicUNet": (lambda: nets.BasicUNet(2, 1, 2, features=(4, 4, 8, 8, 8, 4)), FLAT),
    "BasicUNetPlusPlus": (lambda: nets.BasicUNetPlusPlus(2, 1, 2, features=(4, 4, 8, 8, 8, 4)), FLAT),
    "Classifier": (lambda: nets.Classifier((1, 32, 32), 2, (4, 8), (2, 2)), FLAT),
    "DenseNet": (lambda: nets.DenseNet(2, 1, 2, init_features=8, growth_rate=4, block_config=(2, 2)), FLAT),
    "DynUNet": (lambda: nets.DynUNet(2, 1, 2, [3, 3, 3], [1, 2, 2], [2, 2], filters=[4, 8, 8]), FLAT),
    "EfficientNetBN": (lambda: nets.EfficientNetBN("efficientnet-b0", False, spatial_dims=2, in_channels=1), FLAT),
    "FlexibleUNet": (lambda: nets.FlexibleUNet(1, 2, "efficientnet-b0", spatial_dims=2), FLAT),
    "FullyConnectedNet": (lambda: nets.FullyConnectedNet(13, 2, [8]), (13,)),
    "HighResNet": (
        lambda: nets.HighResNet(2, 1, 2, layer_params=(
            {"name": "conv_0", "n_features": 4, "kernel_size": 3},
            {"name": "res_1", "n_features": 4, "kernels": (3, 3), "repeat": 1},
            {"name": "conv_1", "n_features": 8, "kernel_size": 1},
            {"name": "conv_2", "kernel_size": 1},
        )), FLAT,
    ),
    "ResNet": (lambda: nets.ResNet("basic", [1, 1, 1, 1], [4, 8, 8, 8], 2, 1, num_classes=2), FLAT),
    "SegResNet": (lambda: nets.SegResNet(2, 8, 1, 2, blocks_down=(1, 1), blocks_up=(1,)), FLAT),
    "SegResNetVAE": (
        lambda: nets.SegResNetVAE((32, 32), spatial_dims=2, init_filters=8, in_channels=1, blocks_down=(1, 1),
                                  blocks_up=(1,)), FLAT,
    ),
    "SENet": (
        lambda: nets.SENet(2, 1, nets.senet.SEResNetBottleneck, [1, 1, 1, 1], 1, 4, inplanes=8, num_classes=2), FLAT,
    ),
    "UNet 2D": (lambda: nets.UNet(2, **UNET), FLAT),
    "UNet 3D": (lambda: nets.UNet(3, **UNET), VOLUME),
    "VNet": (lambda: nets.VNet(2, 1, 2, dropout_dim=2), FLAT),
}  # fmt: skip


def loss(outputs: object, labels: Tensor) -> Tensor:
    """Any differentiable number of a record, the mean over records: what is tried is the network, not a task."""
    first = outputs
    while not isinstance(first, Tensor):
        first = first[0]  # type: ignore[index]
    return (torch.tanh(first) + 0.5).square().flatten(1).mean(1).mean()
