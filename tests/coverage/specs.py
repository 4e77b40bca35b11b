"""`python -m tests.coverage.specs`: how many models of a library come back as a spec, and what keeps the others.

    python -m tests.coverage.specs torchvision            # the builders of classification models
    python -m tests.coverage.specs timm --every 40

A model comes back where `export MODEL -o net.yaml` writes a text, which is only written when it lays out the same
layers, figures and flow, and the network read from it has the same parameters and MACs.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

import archinspect
from archinspect import ArchinspectError
from archinspect.frontends.torch.build import with_torchvision

from .libraries import models


def names_of(library: str) -> list[str]:
    """Models of timm, or the builders of torchvision's classification models, as MODEL names them."""
    if library == "torchvision":
        builders = with_torchvision(lambda: import_module("torchvision.models"))
        return [f"torchvision:{name}" for name in builders.list_models(module=builders)]
    with tempfile.TemporaryDirectory() as folder:
        return list(models(library, Path(folder)))


def reason(model: str) -> str:
    """Why a model does not come back as a spec; empty where it does."""
    try:
        net = archinspect.load(model)
        again = archinspect.from_text(net.dump())
    except ArchinspectError as error:
        (first, *_) = error.diagnostics
        return f"{first.code} {(first.notes or (first.message,))[0]}"
    ours, theirs = net.analyse().totals, again.analyse().totals
    return "" if (ours.params, ours.macs) == (theirs.params, theirs.macs) else "other totals"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.coverage.specs", description=__doc__)
    parser.add_argument("source", choices=["torchvision", "timm"])
    parser.add_argument("--only", default="*", help="a pattern that names must match")
    parser.add_argument("--every", type=int, default=1, help="try only every so many of the models")
    asked = parser.parse_args()
    names = [name for name in names_of(asked.source) if fnmatch(name, asked.only)][:: asked.every]
    reasons = Counter[str]()
    back = 0
    for name in names:
        why = reason(name)
        back += not why
        reasons[why.split(":", 1)[0]] += bool(why)
        print(f"{name}: {why or 'comes back'}", flush=True)
    print(f"\n{back} of {len(names)} come back as a spec")
    for why, count in reasons.most_common():
        if why:
            print(f"{count:4} {why}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
