"""Operators of ONNX Runtime (`com.microsoft`) that are common in its optimised files: the shapes of their outputs.

ONNX itself does not know them.  An operator that is missing here has the shapes that the file declares, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Dims = tuple[int | None, ...] | None
_Rule = Callable[[Sequence[Dims], Mapping[str, Any]], Sequence[Dims]]


def _same(inputs: Sequence[Dims], attributes: Mapping[str, Any]) -> Sequence[Dims]:
    return (inputs[0],)


def _skip(inputs: Sequence[Dims], attributes: Mapping[str, Any]) -> Sequence[Dims]:
    """A normalised sum; the fourth output is the sum itself, those between are left empty."""
    return inputs[0], None, None, inputs[0]


def _matmul(inputs: Sequence[Dims], attributes: Mapping[str, Any]) -> Sequence[Dims]:
    a, b = inputs[0], inputs[1]
    if a is None or b is None or len(a) < 2 or len(b) < 2:
        return (None,)
    rows = a[-1] if attributes.get("transA") else a[-2]
    columns = b[-2] if attributes.get("transB") else b[-1]
    batch = a[:-2] if len(a) >= len(b) else b[:-2]
    return ((*batch, rows, columns),)


def _matmul_packed(inputs: Sequence[Dims], attributes: Mapping[str, Any]) -> Sequence[Dims]:
    a = inputs[0]
    return ((*a[:-1], attributes.get("N")),) if a else (None,)


def _attention(inputs: Sequence[Dims], attributes: Mapping[str, Any]) -> Sequence[Dims]:
    """Input (batch, length, width), packed weight (width, 3·width′)."""
    x, weight = inputs[0], inputs[1]
    if not x or not weight or weight[1] is None:
        return (None,)
    sizes = attributes.get("qkv_hidden_sizes")
    return ((x[0], x[1], sizes[2] if sizes else weight[1] // 3),)


def _multihead(inputs: Sequence[Dims], attributes: Mapping[str, Any]) -> Sequence[Dims]:
    query = inputs[0]
    value = inputs[2] if len(inputs) > 2 else None
    if not query or len(query) != 3 or not value or len(value) != 3:
        return (None,)
    return ((query[0], query[1], value[2]),)


def _grouped(inputs: Sequence[Dims], attributes: Mapping[str, Any]) -> Sequence[Dims]:
    query = inputs[0]
    packed = len(inputs) > 1 and inputs[1] is None
    if not query or packed:
        return (None,)
    return (query,)


#: sizes of an operator's outputs from those of its inputs
SHAPES: dict[str, _Rule] = {
    **dict.fromkeys(("BiasGelu", "FastGelu", "Gelu", "QuickGelu", "BiasAdd"), _same),
    **dict.fromkeys(("SimplifiedLayerNormalization", "RotaryEmbedding"), _same),
    **dict.fromkeys(("SkipLayerNormalization", "SkipSimplifiedLayerNormalization"), _skip),
    **dict.fromkeys(("FusedMatMul", "FusedGemm", "TransposeMatMul"), _matmul),
    **dict.fromkeys(("MatMulNBits", "MatMulBnb4"), _matmul_packed),
    "Attention": _attention,
    "MultiHeadAttention": _multihead,
    "GroupQueryAttention": _grouped,
}
