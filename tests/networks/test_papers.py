"""Networks that do not ship, written from their papers by docs/spec-language.md alone: `papers/*.yaml`.

They use the language where shipped networks do not: splits, joins inside joins, outputs inside branches, parallel
branches that are folded later, transposed tokens.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from archinspect.analysis import analyse
from archinspect.check.verify import verify
from archinspect.frontends.spec import dump, load_graph
from archinspect.frontends.spec.load import lay_out, read_text

PAPERS = Path(__file__).parent / "papers"

#: Parameters and MACs of the released networks, counted by torch's FlopCounterMode: torchvision 0.29.1's, and of those
#: that it has not, timm 1.0.31's.
RELEASED = {
    "convmixer_768_32": (21_110_248, 20_676_851_712),  # timm
    "ghostnet": (5_182_508, 141_150_512),  # timm
    "mixer_s16": (18_528_264, 3_776_958_464),  # timm
    "mnasnet1_0": (4_383_312, 314_415_872),
    "repvgg_a0": (9_108_968, 1_512_581_120),  # timm, with the branches of training
    "res2net50_26w_4s": (25_699_120, 4_255_166_464),  # timm
    "resnet50d": (25_576_264, 4_328_824_832),  # timm
}
NAMES = sorted(path.stem for path in PAPERS.glob("*.yaml"))


@pytest.mark.parametrize("name", RELEASED)
def test_totals_are_those_of_the_released_networks(name: str) -> None:
    params, macs = RELEASED[name]
    totals = analyse(load_graph(str(PAPERS / f"{name}.yaml"))).totals
    assert (totals.params, totals.macs) == (params, macs)


@pytest.mark.parametrize("name", NAMES)
def test_the_real_module_agrees_and_the_spec_can_be_written_back(name: str) -> None:
    graph = load_graph(str(PAPERS / f"{name}.yaml"))
    assert verify(graph, (1, 3), witnesses=()).mismatches == ()
    again = lay_out(read_text(dump(graph), "again.yaml"))
    assert analyse(again).to_dict() == analyse(graph).to_dict()


def test_a_pyramid_has_an_output_for_each_level() -> None:
    graph = load_graph(str(PAPERS / "fpn.yaml"))
    shapes = [graph.nodes[i].output_shape[2:] for i in graph.outputs]
    assert shapes == [(48, 64), (12, 16), (6, 8), (24, 32)]
