"""Every network that MONAI has: tried, or why not. A network that is neither is named by the command, and fails a test.

What counts as a network: a module that `monai.networks.nets` or one of its files offers by name.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from importlib.util import find_spec

from monai.networks import nets
from torch import nn

from training.models.candidates import CANDIDATES

PACKAGES: Mapping[str, str] = {
    "CellSamWrapper": "segment_anything",
    "ControlNet": "einops",
    "DAF3D": "torchvision",
    "DecoderOnlyTransformer": "einops",
    "DiffusionModelUNet": "einops",
    "HyenaNDUNETR": "nvsubquadratic",
    "MaskedAutoEncoderViT": "einops",
    "NaViT": "einops",
    "Restormer": "einops",
    "SPADEDiffusionModelUNet": "einops",
    "SwinUNETR": "einops",
    "TorchVisionFCModel": "torchvision",
    "Transchex": "transformers",
    "UNETR": "einops",
    "ViT": "einops",
    "ViTAutoEnc": "einops",
}
"""Networks that cannot be built without a package that the product does not bring."""

PARTS: Mapping[str, str] = {
    "AffineHead": "GlobalNet",
    "AttentionModule": "DAF3D",
    "BasicLayer": "SwinUNETR",
    "BertAttention": "Transchex",
    "BertMixedLayer": "Transchex",
    "BertOutput": "Transchex",
    "BertPreTrainedModel": "Transchex",
    "ControlNetConditioningEmbedding": "ControlNet",
    "Daf3dASPP": "DAF3D",
    "Daf3dBackbone": "DAF3D",
    "Daf3dBackboneWithFPN": "DAF3D",
    "Daf3dFPN": "DAF3D",
    "Daf3dResNet": "DAF3D",
    "Daf3dResNetBottleneck": "DAF3D",
    "Daf3dResNetDilatedBottleneck": "DAF3D",
    "HighResBlock": "HighResNet",
    "MDTATransformerBlock": "Restormer",
    "MultiModal": "Transchex",
    "OverlapPatchEmbed": "Restormer",
    "PatchMerging": "SwinUNETR",
    "PatchMergingV2": "SwinUNETR",
    "Pooler": "Transchex",
    "ResNetBlock": "ResNet",
    "ResNetBottleneck": "ResNet",
    "SwinTransformer": "SwinUNETR",
    "SwinTransformerBlock": "SwinUNETR",
    "TopologyConstruction": "DiNTS",
    "TopologyInstance": "DiNTS",
    "TopologySearch": "DiNTS",
    "WindowAttention": "SwinUNETR",
}
"""Modules that are parts of networks, and which network each is a part of."""


def networks() -> dict[str, type[nn.Module]]:
    """Every module that MONAI offers among its networks, by its own name; other names for it are left out."""
    found = {kind.__name__: kind for kind in _offered()}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def _offered() -> Iterator[type[nn.Module]]:
    files = [importlib.import_module(f"{nets.__name__}.{one.name}") for one in pkgutil.iter_modules(nets.__path__)]
    for place in (nets, *files):
        named = getattr(place, "__all__", None) or [name for name in vars(place) if not name.startswith("_")]
        for name in named:
            kind = getattr(place, name)
            if isinstance(kind, type) and issubclass(kind, nn.Module) and kind.__module__.startswith(nets.__name__):
                yield kind


def excuse(kind: type[nn.Module]) -> str | None:
    """Why the network `kind` is not tried, or None where nothing excuses it."""
    name = kind.__name__
    if (package := PACKAGES.get(name)) and find_spec(package) is None:
        return f"needs {package}, which the product does not bring"
    if name in PARTS:
        return f"a part of {PARTS[name]}"
    base = kind.__mro__[1]
    if "forward" not in vars(kind) and base.__name__ in shown():
        return f"{base.__name__} of other sizes"
    return None


def shown() -> set[str]:
    """The networks that are tried, by MONAI's name: UNet stands for `UNet 2D` and `UNet 3D`."""
    return {name.partition(" ")[0] for name in CANDIDATES}


def excused() -> dict[str, str]:
    """Each network that is not tried, and why; `nothing excuses it` where neither."""
    return {
        name: excuse(kind) or "nothing excuses it: bring it in"
        for name, kind in networks().items()
        if name not in shown()
    }
