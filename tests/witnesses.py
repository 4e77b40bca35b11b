"""How many totals of other tools are predicted to the last digit, on models of libraries: a table.

`python -m tests.witnesses` prints it for torchvision's models of images and a sample of timm's and transformers';
`python -m tests.witnesses torchvision:resnet18 timm:vit_tiny_patch16_224` for those named.  Images are as small as a
model takes, since the rules do not depend on their size.  `test_libraries.py` runs the same over a few.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from archinspect.check.conventions import CONVENTIONS
from archinspect.check.verification import Verification
from archinspect.check.verify import verify
from archinspect.errors import ArchinspectError
from archinspect.frontends.models import load
from archinspect.frontends.torch.build import with_torchvision
from archinspect.graph import Graph

#: one of each of many families
TIMM = """
    botnet26t_256 cait_xxs24_224 coat_lite_tiny coatnet_0_rw_224 convnext_atto crossvit_tiny_240
    davit_tiny dla34 dm_nfnet_f0 edgenext_xx_small efficientformer_l1 efficientvit_b0
    eva02_tiny_patch14_224 fastvit_t8 focalnet_tiny_srf ghostnet_100 hrnet_w18_small lcnet_050
    levit_128s maxvit_rmlp_nano_rw_256 mixer_s16_224 mixnet_s mobilenetv3_small_100
    mobilenetv4_conv_small mobilevit_xxs nf_regnet_b0 pit_ti_224 poolformer_s12 pvt_v2_b0
    regnetx_002 repvgg_a0 resmlp_12_224 rexnet_100 sequencer2d_s seresnet18
    swin_tiny_patch4_window7_224 swinv2_cr_tiny_224 tf_efficientnet_b0 tinynet_e tnt_s_patch16_224
    twins_pcpvt_small vit_tiny_patch16_224 volo_d1_224 xcit_nano_12_p16_224
"""

#: small configs: the rules do not depend on their sizes
TRANSFORMERS: dict[str, dict[str, Any]] = {
    "bert": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 2},
    "t5": {"d_model": 32, "d_ff": 64, "num_layers": 2, "num_heads": 2, "d_kv": 16},
    "llama": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "vocab_size": 1000,
    },
    "vit": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64},
    "clip": {},
    "wav2vec2": {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
    },
    "convnext": {"depths": [1, 1, 2, 1], "hidden_sizes": [8, 16, 24, 32]},
}


@dataclass
class Trial:
    """What came of one model: whether it was executed, and each tool's verdict for it."""

    model: str
    execution: str = ""
    verdicts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0


def attempt(model: str, sizes: tuple[int, ...] = (64, 224)) -> Trial:
    """Verify one model.  What goes wrong is a note of the trial."""
    trial = Trial(model)
    started = time.monotonic()
    try:
        found = verify(captured(model, sizes), (1,))
    except ArchinspectError as error:
        trial.notes.append(error.diagnostics[0].message)
        return trial
    finally:
        trial.seconds = time.monotonic() - started
    execution = found.executions[1]
    trial.execution = execution.status
    if execution.message:
        trial.notes.append(
            f"{execution.where}: {execution.message}" if execution.where else execution.message
        )
    for check in found.tools:
        trial.verdicts[check.tool] = check.verdict
        if check.message:
            trial.notes.append(f"{check.tool}: {check.message[:160]}")
    trial.notes += list(_differences(found))
    return trial


def _differences(found: Verification) -> Iterator[str]:
    for mismatch in found.mismatches[:6]:
        yield str(mismatch)


def captured(model: str, sizes: tuple[int, ...] = ()) -> Graph:
    """A library's model on the smallest image that it takes."""
    if model.startswith("transformers:"):
        return load(model)
    for size in sizes:
        try:
            return load(model, inputs=f"1x3x{size}x{size}")
        except ArchinspectError:
            continue
    return load(model)


def models(folder: Path) -> Iterator[str]:
    """All that the table is about."""
    images = with_torchvision(lambda: import_module("torchvision.models"))
    yield from (f"torchvision:{name}" for name in images.list_models(module=images))
    yield from (f"timm:{name}" for name in TIMM.split())
    yield from configurations(folder)


def configurations(folder: Path) -> Iterator[str]:
    """Small configs of transformers as files, as MODEL takes them."""
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    for kind, settings in TRANSFORMERS.items():
        config = AutoConfig.for_model(kind, **settings)
        config.architectures = [str(MODEL_MAPPING_NAMES[kind])]
        config.save_pretrained(folder / kind)
        yield f"transformers:{folder / kind}"


def main(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        verdicts: dict[str, Counter[str]] = {name: Counter() for name in ("executed", *CONVENTIONS)}
        for model in names or models(Path(folder)):
            trial = attempt(model)
            verdicts["executed"][trial.execution or "not captured"] += 1
            for name in CONVENTIONS:
                verdicts[name][trial.verdicts.get(name, "not run")] += 1
            told = " ".join(f"{name} {verdict}" for name, verdict in trial.verdicts.items())
            print(f"{model}: {trial.execution or 'not captured'}; {told} ({trial.seconds:.1f} s)", flush=True)
            for note in trial.notes:
                print(f"    {note}", flush=True)
    print(
        "\n| | "
        + " | ".join(("agrees or equal", "differs", "failed or not run"))
        + " |\n| --- | ---: | ---: | ---: |"
    )
    for name, counts in verdicts.items():
        good = counts["agrees"] + counts["equal"]
        print(f"| {name} | {good} | {counts['differs']} | {counts.total() - good - counts['differs']} |")


if __name__ == "__main__":
    main(sys.argv[1:])
