"""MONAI's networks, small, as they come: what `covenant model preflight` tries, and docs/networks.md lists.

Sizes are small, and keep every kind of layer; what is found does not depend on width. Which networks MONAI has, and
why some are not here, says training.models.excuses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from typing import Any

import torch
from monai.networks import nets
from monai.networks.nets.vista3d import ClassMappingClassify, PointMappingSAM
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

Candidate = tuple[Callable[[], nn.Module], tuple[int, ...]]
"""What builds the network, and the shape of one record."""

FLAT, VOLUME = (1, 32, 32), (1, 16, 16, 16)
UNET = {"in_channels": 1, "out_channels": 2, "channels": (4, 8, 16), "strides": (2, 2)}
CODER = {"in_channels": 1, "out_channels": 1, "channels": (4, 8), "strides": (2, 2)}
LABELLER = {"in_shape": FLAT, "channels": (4, 8), "strides": (2, 2)}
LATENT = {  # without attention, which needs a package that the product does not bring
    "num_res_blocks": (1, 1), "channels": (4, 8), "attention_levels": (False, False), "latent_channels": 2,
    "norm_num_groups": 4, "with_encoder_nonlocal_attn": False, "with_decoder_nonlocal_attn": False,
}  # fmt: skip


class Fed(nn.Module):
    """`module`, given what `inputs` makes of records (n, ...): for a network that takes more than one thing."""

    def __init__(self, module: nn.Module, inputs: Callable[[Tensor], tuple[Tensor, ...]]) -> None:
        super().__init__()
        self.module, self.inputs = module, inputs

    def forward(self, records: Tensor) -> Any:
        return self.module(*self.inputs(records))


class Vista(nn.Module):
    """VISTA3D asked for one class: the branch that needs no clicks."""

    def __init__(self) -> None:
        super().__init__()
        encoder = nets.SegResNetDS2(3, 8, blocks_down=(1, 1), out_channels=8, norm="instance")
        self.module = nets.VISTA3D(encoder, ClassMappingClassify(2, 8), PointMappingSAM(8, n_classes=2))

    def forward(self, volumes: Tensor) -> Tensor:
        masks: Tensor = self.module(volumes, class_vector=torch.zeros(1, 1, dtype=torch.long))
        return masks.transpose(0, 1)


def first_channel(records: Tensor) -> tuple[Tensor, ...]:
    return records[:, :1], records[:, 1:]


def topology() -> nn.Module:
    codes = [torch.ones(2, 4).numpy(), torch.ones(2, 4).numpy()]  # every path, each with its second operation
    with redirect_stdout(None):  # it prints advice
        space = nets.TopologyInstance(codes, 0.25, num_blocks=2, num_depths=2, spatial_dims=2)
    network: nn.Module = nets.DiNTS(space, 1, 2, spatial_dims=2)
    return network


def resnet() -> nn.Module:
    network: nn.Module = nets.ResNet("basic", [1, 1, 1, 1], [4, 8, 8, 8], 2, 1, num_classes=2)
    return network


def voxel_unet() -> nn.Module:
    network: nn.Module = nets.VoxelMorphUNet(2, 2, 4, (4, 8, 8, 4), (4,))
    return network


LARGE = frozenset({"AHNet", "HoVerNet"})
"""Networks that are never small, gigabytes or minutes a batch: no engine is tried on them, only what comes before."""

CANDIDATES: Mapping[str, Candidate] = {
    "AHNet": (lambda: nets.AHNet((1, 1, 1, 1), 2, psp_block_num=1), (1, 64, 64)),
    "AttentionUnet": (lambda: nets.AttentionUnet(2, **UNET), FLAT),
    "AutoEncoder": (lambda: nets.AutoEncoder(2, **CODER), FLAT),
    "AutoencoderKL": (lambda: nets.AutoencoderKL(2, **LATENT), FLAT),
    "BasicUNet": (lambda: nets.BasicUNet(2, 1, 2, features=(4, 4, 8, 8, 8, 4)), FLAT),
    "BasicUNetPlusPlus": (lambda: nets.BasicUNetPlusPlus(2, 1, 2, features=(4, 4, 8, 8, 8, 4)), FLAT),
    "CheckpointUNet": (lambda: nets.unet.CheckpointUNet(2, **UNET), FLAT),
    "Classifier": (lambda: nets.Classifier(classes=2, **LABELLER), FLAT),
    "Critic": (lambda: nets.Critic(**LABELLER), FLAT),
    "DenseNet": (lambda: nets.DenseNet(2, 1, 2, init_features=8, growth_rate=4, block_config=(2, 2)), FLAT),
    "DiNTS": (topology, FLAT),
    "Discriminator": (lambda: nets.Discriminator(**LABELLER), FLAT),
    "DynUNet": (lambda: nets.DynUNet(2, 1, 2, [3, 3, 3], [1, 2, 2], [2, 2], filters=[4, 8, 8]), FLAT),
    "EfficientNet": (lambda: nets.EfficientNet(["r1_k3_s11_e1_i32_o16_se0.25"], 2, 1, 2), FLAT),
    "EfficientNetBN": (lambda: nets.EfficientNetBN("efficientnet-b0", False, spatial_dims=2, in_channels=1), FLAT),
    "EfficientNetBNFeatures": (
        lambda: nets.EfficientNetBNFeatures("efficientnet-b0", False, spatial_dims=2, in_channels=1), FLAT,
    ),
    "FlexibleUNet": (lambda: nets.FlexibleUNet(1, 2, "efficientnet-b0", spatial_dims=2), FLAT),
    "FullyConnectedNet": (lambda: nets.FullyConnectedNet(13, 2, [8]), (13,)),
    "Generator": (lambda: nets.Generator((8,), (4, 4, 4), (4, 1), (2, 2)), (8,)),
    "GlobalNet": (lambda: nets.GlobalNet([32, 32], 2, 2, 4, 2), (2, 32, 32)),
    "HighResNet": (
        lambda: nets.HighResNet(2, 1, 2, layer_params=(
            {"name": "conv_0", "n_features": 4, "kernel_size": 3},
            {"name": "res_1", "n_features": 4, "kernels": (3, 3), "repeat": 1},
            {"name": "conv_1", "n_features": 8, "kernel_size": 1},
            {"name": "conv_2", "kernel_size": 1},
        )), FLAT,
    ),
    "HoVerNet": (lambda: nets.HoVerNet("fast", 1, decoder_padding=True), (1, 256, 256)),
    "LocalNet": (lambda: nets.LocalNet(2, 2, 4, (0, 1, 2), out_channels=2), (2, 32, 32)),
    "MedNeXt": (
        lambda: nets.MedNeXt(2, 4, 1, 2, kernel_size=3, blocks_down=(1, 1), blocks_bottleneck=1, blocks_up=(1, 1)),
        FLAT,
    ),
    "MILModel": (
        lambda: nets.MILModel(2, backbone=nets.Classifier(classes=8, **LABELLER), backbone_num_features=8), (3, *FLAT),
    ),
    "MultiScalePatchDiscriminator": (
        lambda: nets.MultiScalePatchDiscriminator(2, 1, 2, 4, 1, minimum_size_im=32), FLAT,
    ),
    "NetAdapter": (lambda: nets.NetAdapter(resnet(), 2, pool=None), FLAT),
    "PatchDiscriminator": (lambda: nets.PatchDiscriminator(2, 4, 1, num_layers_d=2), FLAT),
    "Quicknat": (lambda: nets.Quicknat(2, 1, 4), FLAT),
    "Regressor": (lambda: nets.Regressor(out_shape=(2,), **LABELLER), FLAT),
    "RegUNet": (lambda: nets.RegUNet(2, 1, 4, 2, out_channels=2), FLAT),
    "ResNet": (resnet, FLAT),
    "ResNetFeatures": (lambda: nets.ResNetFeatures("resnet10", False, 2), FLAT),
    "SegResNet": (lambda: nets.SegResNet(2, 8, 1, 2, blocks_down=(1, 1), blocks_up=(1,)), FLAT),
    "SegResNetDS": (lambda: nets.SegResNetDS(2, 8, blocks_down=(1, 1)), FLAT),
    "SegResNetDS2": (lambda: nets.SegResNetDS2(2, 8, blocks_down=(1, 1)), FLAT),
    "SegResNetVAE": (
        lambda: nets.SegResNetVAE((32, 32), spatial_dims=2, init_filters=8, in_channels=1, blocks_down=(1, 1),
                                  blocks_up=(1,)), FLAT,
    ),
    "SENet": (
        lambda: nets.SENet(2, 1, nets.senet.SEResNetBottleneck, [1, 1, 1, 1], 1, 4, inplanes=8, num_classes=2), FLAT,
    ),
    "SPADEAutoencoderKL": (
        lambda: Fed(nets.SPADEAutoencoderKL(2, 1, spade_intermediate_channels=4, **LATENT), first_channel),
        (2, 32, 32),
    ),
    "SPADENet": (
        lambda: Fed(nets.SPADENet(2, 1, 1, 1, (32, 32), [4, 8], 4, spade_intermediate_channels=4), first_channel),
        (2, 32, 32),
    ),
    "UNet 2D": (lambda: nets.UNet(2, **UNET), FLAT),
    "UNet 3D": (lambda: nets.UNet(3, **UNET), VOLUME),
    "VarAutoEncoder": (lambda: nets.VarAutoEncoder(2, FLAT, 1, 4, (4, 8), (2, 2)), FLAT),
    "VarFullyConnectedNet": (lambda: nets.VarFullyConnectedNet(13, 2, 4, [8], [8]), (13,)),
    "VISTA3D": (Vista, VOLUME),
    "VNet": (lambda: nets.VNet(2, 1, 2, dropout_dim=2), FLAT),
    "VoxelMorph": (lambda: Fed(nets.VoxelMorph(voxel_unet(), spatial_dims=2), first_channel), (2, 32, 32)),
    "VoxelMorphUNet": (voxel_unet, (2, 32, 32)),
    "VQVAE": (
        lambda: nets.VQVAE(2, 1, 1, (4, 8), 1, (4, 8), ((2, 4, 1, 1),) * 2, ((2, 4, 1, 1, 0),) * 2, 8, 4), FLAT,
    ),
}  # fmt: skip


class Flat(nn.Module):
    """All that `module` gives of records, in one row each (n, k): what stood beside its first output counts too."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, records: Tensor) -> Tensor:
        given = [leaf for leaf in tree_leaves(self.module(records)) if isinstance(leaf, Tensor)]
        rows = [leaf.flatten(1) if leaf.dim() else leaf.expand(len(records), 1) for leaf in given]
        return torch.cat([row for row in rows if row.is_floating_point()], 1)


def loss(outputs: Tensor, labels: Tensor) -> Tensor:
    """Any differentiable number of a record, the mean over records: what is tried is the network, not a task."""
    return (torch.tanh(outputs) + 0.5).square().flatten(1).mean(1).mean()
