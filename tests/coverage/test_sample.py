"""A sample of the libraries' models, one of each family: captured, with all parameters and FlopCounterMode's MACs.

The whole of the libraries is `python -m tests.coverage`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import pytest

from .trial import attempt

pytestmark = pytest.mark.slow

#: detectors ask for values of activations and take a minute each; the whole run has them
TORCHVISION = [
    "alexnet",
    "convnext_tiny",
    "deeplabv3_mobilenet_v3_large",
    "densenet121",
    "efficientnet_v2_s",
    "googlenet",
    "inception_v3",
    "lraspp_mobilenet_v3_large",
    "maxvit_t",
    "mnasnet0_5",
    "mvit_v1_b",
    "r3d_18",
    "raft_small",
    "regnet_y_400mf",
    "shufflenet_v2_x0_5",
    "squeezenet1_0",
    "swin3d_t",
    "swin_v2_t",
    "vit_b_16",
]


def _timm() -> list[str]:
    """The first model of every second file of timm: a file is a family."""
    if find_spec("timm") is None:
        return []
    from archinspect.frontends.torch.build import with_torchvision

    timm = with_torchvision(lambda: import_module("timm"))
    # FlopCounterMode takes minutes over the recurrent layers of sequencer.
    modules = sorted(set(timm.list_modules()) - {"sequencer"})
    found = [timm.list_models(module=module) for module in modules]
    return [names[0] for names in found if names][::2]


@pytest.mark.parametrize(
    "model", [*(f"torchvision:{name}" for name in TORCHVISION), *(f"timm:{name}" for name in _timm())]
)
def test_a_model_is_captured_whole(model: str) -> None:
    library = model.partition(":")[0]
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    trial = attempt(model)
    assert trial.how == "captured", trial.reason
    assert trial.params == trial.own_params
    assert trial.verdict in ("equal", "named"), (trial.macs, trial.counted, trial.refused)
    assert trial.complete
