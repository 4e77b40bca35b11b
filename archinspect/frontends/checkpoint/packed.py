"""Weights that are stored packed: how many numbers they stand for, where names and shapes say so.

Quantising libraries store whole numbers of a few bits in wider ones, with scales beside them.  Each rule here takes its
count from shapes that must agree; where they do not, or no rule knows the names, the weight counts as the numbers that
are stored, and a note says which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .stored import Contents, Stored

_WHOLE = ("int", "uint", "bool", "qint", "quint", "bits")
#: names of tensors that layers keep beside their parameters
_STATISTICS = {"running_mean", "running_var", "num_batches_tracked"}
#: last parts of the names under which weights are packed into whole numbers
_WEIGHTS = {"weight", "qweight", "weight_packed", "W_q", "packed_weight"}
#: what quantised weights have beside them: scales and their like
_COMPANIONS = {
    "weight_scale",
    "weight_scale_inv",
    "weight_scale_2",
    "weight_global_scale",
    "weight_zero_point",
    "weight_shape",
    "weight_g_idx",
    "input_scale",
    "input_global_scale",
    "SCB",
    "weight_format",
    "scales",
    "qzeros",
    "g_idx",
    "biases",
}

Group = Mapping[str, Stored]


def unpack(contents: Contents) -> None:
    """Give packed weights their logical shape and type, and tell buffers from parameters, in place."""
    scopes: dict[str, dict[str, Stored]] = {}
    for tensor in contents.tensors:
        scope, _, last = tensor.name.rpartition(".")
        scopes.setdefault(scope, {})[last] = tensor
    for scope, group in scopes.items():
        for rule in _RULES:
            rule(group, scope, scopes)
    unknown = []
    for group in scopes.values():
        quantised = any(_is_packed(last, tensor) for last, tensor in group.items())
        for last, tensor in group.items():
            if tensor.buffer is not None:
                continue
            if last in _STATISTICS or (quantised and last in _COMPANIONS):
                tensor.buffer = True
            elif tensor.dtype.startswith(_WHOLE) and not _is_logical(tensor):
                # Whole numbers cannot be learnt: positions, masks, counters.
                tensor.buffer = last not in _WEIGHTS
                if last in _WEIGHTS and tensor.dtype not in ("int8", "qint8", "quint8", "qint32"):
                    unknown.append(tensor)
    if unknown:
        first = f"{unknown[0].name} ({unknown[0].dtype})"
        more = f" and {len(unknown) - 1:,} more" if len(unknown) > 1 else ""
        contents.notes.append(f"Counted as the numbers that are stored, which may be packed: {first}{more}.")


def _is_packed(last: str, tensor: Stored) -> bool:
    """Whether it is a weight of whole numbers, or of at most eight bits a number."""
    if last not in _WEIGHTS:
        return _is_logical(tensor)
    return tensor.dtype.startswith(_WHOLE) or tensor.bytes <= tensor.numel


def _is_logical(tensor: Stored) -> bool:
    """Whether a rule has said what the stored numbers stand for."""
    return tensor.buffer is False


def _becomes(tensor: Stored, shape: tuple[int, ...], dtype: str) -> None:
    tensor.shape, tensor.dtype, tensor.buffer = shape, dtype, False


def _gptq_and_awq(group: Group, scope: str, scopes: Mapping[str, Group]) -> None:
    """GPTQ packs input features (rows of `qweight`), AWQ output features (columns); `scales` have all outputs."""
    if not group.keys() >= {"qweight", "qzeros", "scales"}:
        return
    weight, zeros, scales = group["qweight"], group["qzeros"], group["scales"]
    if not all(len(t.shape) == 2 for t in (weight, zeros, scales)) or weight.dtype != "int32":
        return
    outputs = scales.shape[1]
    bits, rest = divmod(32 * zeros.shape[1], outputs or 1)
    if rest or not 0 < bits <= 8:
        return
    if weight.shape[1] == outputs:
        inputs, rest = divmod(32 * weight.shape[0], bits)
        if not rest and ("g_idx" not in group or group["g_idx"].shape == (inputs,)):
            _becomes(weight, (outputs, inputs), f"int{bits} (GPTQ)")
    elif weight.shape[1] == zeros.shape[1]:
        _becomes(weight, (outputs, weight.shape[0]), f"int{bits} (AWQ)")


def _bitsandbytes(group: Group, scope: str, scopes: Mapping[str, Group]) -> None:
    """4 bits: `weight` has two numbers a byte, `weight.quant_map` the 16 values; no header has the shape."""
    weight = group.get("weight")
    beside = scopes.get(f"{scope}.weight" if scope else "weight", {})
    code = beside.get("quant_map")
    if (
        weight is None
        or weight.dtype != "uint8"
        or code is None
        or code.shape != (16,)
        or "absmax" not in beside
    ):
        return
    prefix = f"{scope}.weight." if scope else "weight."
    state = f"{prefix}quant_state"
    kind = next(
        (last for last in scopes.get(state, {}) if last.startswith("bitsandbytes__")), "bitsandbytes__4-bit"
    )
    _becomes(weight, (2 * weight.numel,), kind.removeprefix("bitsandbytes__"))
    for tensor in (*beside.values(), *scopes.get(state, {}).values()):
        tensor.buffer, tensor.holder = True, scope


def _mxfp4(group: Group, scope: str, scopes: Mapping[str, Group]) -> None:
    """Microscaling in 4 bits: `blocks` of 16 bytes, 32 numbers, for each of the `scales`."""
    for last, blocks in group.items():
        if (
            not last.endswith("blocks")
            or blocks.dtype != "uint8"
            or not blocks.shape
            or blocks.shape[-1] != 16
        ):
            continue
        scales = group.get(f"{last.removesuffix('blocks')}scales")
        if scales is not None and scales.shape == blocks.shape[:-1] and scales.shape:
            _becomes(blocks, (*scales.shape[:-1], 32 * scales.shape[-1]), "MXFP4")
            scales.buffer = True


def _nvfp4(group: Group, scope: str, scopes: Mapping[str, Group]) -> None:
    """NVIDIA's 4 bits: two numbers a byte, a scale of eight bits for each 16 numbers of a row."""
    for last in ("weight_packed", "weight"):
        weight, scale = group.get(last), group.get("weight_scale")
        if weight is None or scale is None or weight.dtype != "uint8" or scale.dtype != "float8_e4m3fn":
            continue
        if (
            weight.shape
            and weight.shape[:-1] == scale.shape[:-1]
            and 2 * weight.shape[-1] == 16 * scale.shape[-1]
        ):
            _becomes(weight, (*weight.shape[:-1], 2 * weight.shape[-1]), "NVFP4")


_RULES: tuple[Callable[[Group, str, Mapping[str, Group]], None], ...] = (
    _gptq_and_awq,
    _bitsandbytes,
    _mxfp4,
    _nvfp4,
)
