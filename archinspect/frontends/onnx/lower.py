"""From calls of ONNX operators to ops: the language's layer where it is exactly that, else an op on tensors.

What has no rule (`layers`, `tensors`) is opaque: its shapes are known, its cost is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...errors import OpError
from ...ops.linear import Linear
from ...ops.tensor import opaque
from . import layers, tensors  # their rules enter themselves
from .site import RULES, Lowered, Site
from .values import Call, Tensor

__all__ = ["Lowered", "fuse_biases", "layers", "lower", "tensors"]


def lower(call: Call, is_number: Callable[[Tensor], bool]) -> Lowered:
    """What the call is.  `is_number` says which stored tensors count as parameters where a rule does not say it."""
    site = Site(call, is_number)
    rule = RULES.get(call.op) if call.domain in ("", "com.microsoft") and site.results else None
    if rule is not None:
        try:
            lowered = rule(site)
        except (IndexError, KeyError, OpError, TypeError, ValueError, ZeroDivisionError, AssertionError):
            pass  # a form of the operator that has no rule, or attributes that its schema lets pass and make no sense
        else:
            if all(tensor is None or tensor.known for tensor in (*call.inputs, *call.outputs)):
                return lowered
            lowered.op = opaque(lowered.op.type, site.shapes(), site.results)
            return lowered
    return site.made(opaque(_snake(call.op), site.shapes(), site.results, **_shown(call)))


def _shown(call: Call) -> dict[str, Any]:
    """Attributes that are short enough to read."""
    found = {}
    for name, value in call.attributes.items():
        value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        if isinstance(value, (int, float, str)) or (isinstance(value, list) and len(value) <= 8):
            found[name] = tuple(value) if isinstance(value, list) else value
    return found


def _snake(name: str) -> str:
    """`ReduceLogSumExp` as `reduce_log_sum_exp`; of a name that is no word only what can be read."""
    text = "".join(
        "_" + c.lower() if c.isupper() and i and not name[i - 1].isupper() else c.lower()
        for i, c in enumerate(name)
    )
    return "".join(c if c.isalnum() or c == "_" else "_" for c in text)[:60]


def fuse_biases(rows: Sequence[Lowered]) -> list[Lowered]:
    """Products with stored matrices whose only reader adds a stored row, each as one linear layer with a bias."""
    linear: dict[int, Lowered] = {}
    kept: list[Lowered] = []
    for row in rows:
        product = _product_before(row, linear)
        if product is None:
            kept.append(row)
            if isinstance(row.op, Linear) and not row.op.bias and row.outputs:
                linear[id(row.outputs[0])] = row
            continue
        row_of_bias = next(tensor for tensor in row.call.inputs if tensor is not None and tensor.stored)
        product.op = Linear(out_features=product.op.out_features, bias=True)  # type: ignore[attr-defined]
        product.weights = [*product.weights, ("bias", row_of_bias, False)]
        product.outputs = row.outputs
        # The sum is what torch's exporter names after the layer.
        product.call.notes = product.call.notes or row.call.notes
    return kept


def _product_before(row: Lowered, linear: dict[int, Lowered]) -> Lowered | None:
    """The linear layer that the call adds a stored row to, and that nothing else reads."""
    if row.call.op != "Add" or row.call.domain or len(row.call.inputs) != 2:
        return None
    for made, bias in (row.call.inputs, row.call.inputs[::-1]):
        if made is None or bias is None or made.readers != 1 or not bias.stored:
            continue
        found = linear.get(id(made))
        if found is not None and bias.shape == made.shape[-1:] and row.outputs[0].shape == made.shape:
            return found
    return None
