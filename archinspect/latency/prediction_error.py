"""What `predict --error` found: for each network and batch the measured time beside the predicted one.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..shown import Shown
from .stats import median, quantile

#: the networks of the published error, each with its input where that is smaller than the network's own: large
#: networks are run on small images, so that all are measured within minutes
NETWORKS: Sequence[tuple[str, str]] = (
    ("alexnet", ""),
    ("alexnet_grouped", ""),
    ("alexnet_torchvision", ""),
    ("bn_inception", ""),
    ("convnext_tiny", "3x128x128"),
    ("densenet121", ""),
    ("efficientnet_b0", ""),
    ("googlenet", ""),
    ("googlenet_torchvision", ""),
    ("inception_resnet_v2", "3x139x139"),
    ("inception_v3", "3x171x171"),
    ("inception_v4", "3x139x139"),
    ("lecture_1_2", ""),
    ("lecture_1_3", ""),
    ("lecture_inception", ""),
    ("lenet5", ""),
    ("mobilenet_v1", ""),
    ("mobilenet_v2", ""),
    ("mobilenet_v3_large", ""),
    ("resnet101", "3x128x128"),
    ("resnet152", "3x96x96"),
    ("resnet18", ""),
    ("resnet200", "3x96x96"),
    ("resnet34", "3x160x160"),
    ("resnet50", "3x160x160"),
    ("resnext50_32x4d", "3x128x128"),
    ("se_resnet50", "3x128x128"),
    ("senet154", "3x96x96"),
    ("squeezenet1_0", ""),
    ("squeezenet1_1", ""),
    ("vgg11", "3x128x128"),
    ("vgg13", "3x96x96"),
    ("vgg16", "3x96x96"),
    ("vgg16_c", "3x96x96"),
    ("vgg19", "3x96x96"),
    ("vit_b_16", "3x96x96"),
    ("wide_resnet50_2", "3x112x112"),
    ("xception", "3x139x139"),
    ("zfnet", ""),
    ("torchvision:mobilenet_v2", ""),
    ("torchvision:mobilenet_v3_small", ""),
    ("torchvision:shufflenet_v2_x1_0", ""),
    ("torchvision:mnasnet1_0", ""),
    ("torchvision:regnet_y_400mf", ""),
    ("torchvision:regnet_x_400mf", ""),
    ("torchvision:efficientnet_b0", ""),
    ("torchvision:convnext_tiny", "3x128x128"),
    ("torchvision:swin_t", "3x128x128"),
    ("timm:vit_tiny_patch16_224", ""),
    ("torchvision:densenet121", "3x160x160"),
    ("torchvision:squeezenet1_1", ""),
    ("torchvision:googlenet", ""),
    ("torchvision:inception_v3", "3x171x171"),
    ("torchvision:resnet18", ""),
    ("torchvision:resnet50", "3x128x128"),
    ("torchvision:resnext50_32x4d", "3x128x128"),
    ("timm:resnet26", "3x160x160"),
    ("timm:seresnet50", "3x128x128"),
    ("timm:ghostnet_100", ""),
    ("timm:rexnet_100", ""),
    ("timm:resmlp_12_224", ""),
    ("timm:deit_tiny_patch16_224", ""),
    ("timm:convmixer_768_32", "3x64x64"),
    ("timm:repvgg_a0", ""),
    ("timm:dla34", "3x128x128"),
    ("timm:darknet53", "3x96x96"),
    ("timm:hrnet_w18_small", ""),
    ("timm:tf_efficientnet_lite0", ""),
    ("timm:mobilenetv3_large_100", ""),
    ("timm:fbnetc_100", ""),
    ("timm:res2net50_26w_4s", "3x128x128"),
    ("timm:vgg11_bn", "3x128x128"),
    ("timm:poolformer_s12", ""),
    ("timm:cspresnet50", "3x128x128"),
)


@dataclass(frozen=True, slots=True)
class NetworkError:
    """One network at one batch: milliseconds as measured, as predicted with the 90 % interval, and of the roofline."""

    model: str
    batch: int
    measured_ms: float
    predicted_ms: float
    interval_ms: tuple[float, float]
    roofline_ms: float
    #: whether the machine was as fast as at best meanwhile
    undisturbed: bool = True

    @property
    def error(self) -> float:
        """Predicted over measured, minus 1."""
        return self.predicted_ms / self.measured_ms - 1

    @property
    def roofline_error(self) -> float:
        return self.roofline_ms / self.measured_ms - 1

    @property
    def within(self) -> bool:
        """Whether the measured time lies in the interval."""
        low, high = self.interval_ms
        return low <= self.measured_ms <= high

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "batch": self.batch,
            "measured_ms": self.measured_ms,
            "predicted_ms": self.predicted_ms,
            "interval_ms": list(self.interval_ms),
            "roofline_ms": self.roofline_ms,
            "error": self.error,
            "undisturbed": self.undisturbed,
        }


@dataclass(frozen=True, slots=True)
class PredictionError(Shown):
    """All networks and batches, and what their errors come to, as fractions of the measured times."""

    device: str
    networks: tuple[NetworkError, ...]

    @property
    def median_error(self) -> float:
        return median(self._errors)

    @property
    def p90_error(self) -> float:
        return quantile(self._errors, 0.9)

    @property
    def mean_error(self) -> float:
        """The mean of absolute errors (MAPE)."""
        return sum(self._errors) / len(self.networks)

    @property
    def roofline_median_error(self) -> float:
        return median([abs(each.roofline_error) for each in self.networks])

    @property
    def coverage(self) -> float:
        """The share of measured times within their 90 % intervals."""
        return sum(each.within for each in self.networks) / len(self.networks)

    @property
    def _errors(self) -> Sequence[float]:
        return [abs(each.error) for each in self.networks]

    def __repr__(self) -> str:
        return (
            f"<Prediction error on {self.device}: median {self.median_error:.1%}, p90 {self.p90_error:.1%} "
            f"of {len(self.networks)} measurements>"
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "device": self.device,
            "networks": [each.to_dict() for each in self.networks],
            "median_error": self.median_error,
            "p90_error": self.p90_error,
            "mean_error": self.mean_error,
            "roofline_median_error": self.roofline_median_error,
            "coverage": self.coverage,
        }
