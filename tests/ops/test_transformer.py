"""ViT-B/16 from the ops that it is made of.

Its parameters are those of torchvision's `vit_b_16` (86,567,656); its MACs, both products of attention included, are
17,563,828,224 for one 224×224 image.  Dosovitskiy et al. 2020, arXiv:2010.11929, table 1: 86M parameters.
"""

from __future__ import annotations

from archinspect.frontends.spec import lay_out
from archinspect.frontends.spec.load import read_text
from archinspect.ops import numel

VIT = """
name: vit_b_16
input: 3x224x224
arguments: {width: 768, heads: 12, depth: 12}
blocks:
  encoder():
    - add:
        attention: layer_norm(eps=1e-6) -> multihead_attention(heads)
        skip1: identity
    - add:
        mlp: layer_norm(eps=1e-6) -> linear(4 * in_channels) -> gelu -> linear(width)
        skip2: identity
layers:
  - patches: conv2d(width, 16, stride=16)
  - tokens: tokens()
  - class_token: class_token()
  - positions: position_embedding()
  - layer[1..depth]: encoder()
  - norm: layer_norm(eps=1e-6)
  - select: select_token()
  - head: linear(1000)
"""


def test_vit_b_16_has_its_published_figures() -> None:
    graph = lay_out(read_text(VIT, "vit.yaml"), {}, None)
    assert graph.output_shape == (1, 1000)
    assert sum(numel(shape) for node in graph.nodes for shape in node.weights.values()) == 86_567_656
    costs = [node.cost for node in graph.layers]
    assert sum(cost.macs for cost in costs if cost) == 17_563_828_224
    products = sum(2 * 197**2 * 768 for _ in range(12))  # q·kᵀ and attention·v
    linear = sum(
        cost.macs for node, cost in zip(graph.layers, costs, strict=True) if cost and node.op.type == "linear"
    )
    attention = 12 * 4 * 197 * 768**2
    patches = 14 * 14 * 3 * 16 * 16 * 768
    assert products + attention + linear + patches == 17_563_828_224
