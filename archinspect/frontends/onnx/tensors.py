"""ONNX operators on tensors beside layers: sums, reductions, what moves data, attention, recurrent layers."""

from __future__ import annotations

from math import prod
from typing import Any

from ...ops import Cost, Op
from ...ops.tensor import Motion, TensorOp, attention, moving, pointwise, recurrent, reduction
from .site import Lowered, Site, exactly, rule, short


@rule("Add", "Mul", "Sum", "Mean", "Max", "Min")
def _join(site: Site) -> Lowered:
    kind = site.call.op
    tensors = [tensor for tensor in site.call.inputs if tensor is not None]
    flows = all(tensor.flows for tensor in tensors)
    layer = {"Add": "add", "Sum": "add", "Mul": "multiply"}.get(kind)
    if layer and flows and len(tensors) > 1:
        op = exactly(layer, site.shapes(), site.y)
        if op is not None:
            return site.made(op)
    name = {"Add": "add", "Sum": "add", "Mul": "mul", "Mean": "mean", "Max": "maximum", "Min": "minimum"}[
        kind
    ]
    steps = len(tensors) - 1
    if kind in ("Max", "Min"):
        return site.made(pointwise(name, site.shapes(), site.results, (0, steps)))
    return site.made(pointwise(name, site.shapes(), site.results, (steps + (kind == "Mean"), 0)))


@rule("SwiGLU")
def _swiglu(site: Site) -> Lowered:
    return site.made(pointwise("swiglu", site.shapes(), site.results, (5, 0), category="activation"))


# Reductions

#: operator: PyTorch's name, operations and comparisons for each element but the first of a group, and for each group
_REDUCTIONS: dict[str, tuple[str, tuple[int, int], int]] = {
    "ReduceMean": ("mean", (1, 0), 1),
    "ReduceSum": ("sum", (1, 0), 0),
    "ReduceMax": ("amax", (0, 1), 0),
    "ReduceMin": ("amin", (0, 1), 0),
    "ReduceProd": ("prod", (1, 0), 0),
    "ReduceL1": ("norm", (1, 0), 0),
    "ReduceL2": ("linalg_vector_norm", (2, 0), 2),
    "ReduceSumSquare": ("sum_of_squares", (2, 0), 1),
    "ReduceLogSum": ("log_sum", (1, 0), 1),
    "ReduceLogSumExp": ("logsumexp", (3, 1), 4),
    "ArgMax": ("argmax", (0, 1), 0),
    "ArgMin": ("argmin", (0, 1), 0),
}


@rule(*_REDUCTIONS)
def _reduce(site: Site) -> Lowered:
    name, per_input, per_result = _REDUCTIONS[site.call.op]
    rank = len(site.x)
    if site.call.op.startswith("Arg"):
        axes: list[int] = [site.get("axis", 0)]
    else:
        given = site.axes()
        if not given and site.get("noop_with_empty_axes", 0):
            return site.made(pointwise(name, site.shapes((0,)), site.results, (0, 0)), only=(0,))
        axes = given or list(range(rank))
    dims = tuple(sorted({axis % rank for axis in axes})) if rank else ()
    op = reduction(
        name,
        site.shapes((0,)),
        site.results,
        dims,
        per_input=per_input,
        per_result=per_result,
        keepdim=bool(site.get("keepdims", 1)),
        dim=dims,
    )
    return site.made(op, only=(0,))


@rule("CumSum", "CumProd")
def _cumulative(site: Site) -> Lowered:
    axis = (site.numbers(1) or [0])[0] % max(1, len(site.x))
    count = prod(site.x)
    work = Cost(elementwise=count - count // max(1, site.x[axis] if site.x else 1))
    name = site.call.op.lower()
    motion = Motion("mix", (axis,))
    return site.made(
        TensorOp(name, "reduction", site.shapes((0,)), site.results, {"dim": axis}, work, {}, motion),
        only=(0,),
    )


@rule("TopK")
def _top_k(site: Site) -> Lowered:
    """The k largest of n: n·⌈log₂ (k + 1)⌉ comparisons, those of a heap."""
    axis = site.get("axis", -1) % len(site.x)
    depth = min(site.x[axis], site.y[axis] + 1)
    work = Cost(comparisons=prod(site.x) * max(0, depth - 1).bit_length())
    op = TensorOp(
        "topk", "reduction", site.shapes((0,)), site.results, {"dim": axis}, work, {}, Motion("mix", (axis,))
    )
    return site.made(op, only=(0,))


# What moves data


@rule("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def _view(site: Site) -> Lowered:
    """Another shape of the same memory."""
    x, y = site.x, site.y
    source = site[0]
    op: Op | None = None
    for start in (1, 2) if len(y) < len(x) else ():
        op = op or exactly("flatten", (x,), y, start_dim=start)
    if op is None:
        name = {"Reshape": "view", "Flatten": "flatten"}.get(site.call.op, site.call.op.lower())
        op = moving(name, (x,), site.results, Motion("reshape"), aliases=True, shape=y)
    return site.made(op, only=(0,), memory=source)


@rule("Dropout")
def _dropout(site: Site) -> Lowered:
    ratio = site.get("ratio", 0.5) if site.version < 12 else (site.numbers(1) or [0.5])[0]
    if len(site.results) == 1:
        op = exactly("dropout", (site.x,), site.y, p=short(ratio))
        if op is not None:
            return site.made(op, only=(0,), memory=site[0])
    return site.made(moving("dropout", site.shapes((0,)), site.results, Motion("pointwise")), only=(0,))


@rule("Transpose")
def _transpose(site: Site) -> Lowered:
    dims = tuple(site.get("perm", reversed(range(len(site.x)))))
    op = exactly("permute", (site.x,), site.y, dims=dims) if dims[:1] == (0,) else None
    moved = moving("permute", site.shapes(), site.results, Motion("permute", dims), dims=dims)
    # Here it is a copy; the language's permute is a view.
    return site.made(moved if op is None else op, memory=None if op is None else site[0])


@rule("Concat")
def _concat(site: Site) -> Lowered:
    axis = site.get("axis", 1) % max(1, len(site.y))
    tensors = [tensor for tensor in site.call.inputs if tensor is not None]
    flows = all(tensor.flows for tensor in tensors)
    op = exactly("concat", site.shapes(), site.y) if axis == 1 and flows and len(tensors) > 1 else None
    return site.made(op or moving("cat", site.shapes(), site.results, Motion("unknown"), dim=axis))


@rule("Slice")
def _slice(site: Site) -> Lowered:
    x, y = site.x, site.y
    changed = [axis for axis, (a, b) in enumerate(zip(x, y, strict=True)) if a != b]
    starts = site.get("starts") or site.numbers(1)
    axes = site.get("axes") or site.numbers(3) or list(range(len(starts or ())))
    steps = site.numbers(4) or [1] * len(axes)
    if changed == [1] and starts is not None and set(steps) == {1}:
        start = next(s for s, axis in zip(starts, axes, strict=True) if axis % len(x) == 1)
        start = max(0, start + x[1]) if start < 0 else start
        op = exactly("slice_channels", (x,), y, start=start, stop=start + y[1])
        if op is not None:
            return site.made(op, only=(0,), memory=site[0])
    return site.made(
        moving("slice", site.shapes((0,)), site.results, Motion("unknown"), dims=tuple(changed)), only=(0,)
    )


@rule("Gather")
def _gather(site: Site) -> Lowered:
    data, indices = site[0], site[1]
    assert data is not None
    assert indices is not None
    axis = site.get("axis", 0) % max(1, len(data.shape))
    if data.stored and axis == 0 and len(data.shape) == 2 and not indices.stored and indices.value is None:
        op = exactly(
            "embedding", (indices.shape,), site.y, num_embeddings=data.shape[0], embedding_dim=data.shape[1]
        )
        moved = moving("embedding", site.shapes(), site.results, Motion("unknown"))
        return site.made(op or moved, site.weights(weight=0), only=(1,))
    if not indices.shape:
        index = (site.numbers(1) or [None])[0]
        dims = tuple(d for d in range(len(data.shape)) if d != axis)
        motion = Motion("permute", dims)
        return site.made(moving("select", site.shapes((0,)), site.results, motion, dim=axis, index=index))
    return site.made(moving("index_select", site.shapes(), site.results, Motion("unknown"), dim=axis))


@rule("Pad")
def _pad(site: Site) -> Lowered:
    rank = len(site.x)
    pads = list(site.get("pads") or site.get("paddings") or site.numbers(1) or [])
    axes = site.numbers(3)
    if axes is not None and not site.absent(3):
        full = [0] * (2 * rank)
        for place, axis in enumerate(axes):
            full[axis % rank], full[rank + axis % rank] = pads[place], pads[len(axes) + place]
        pads = full
    value = site.get("value", 0.0) if site.version < 11 else (site.numbers(2) or [0.0])[0]
    mode = site.get("mode", "constant")
    op = None
    if len(pads) == 2 * rank == 8 and mode == "constant" and value == 0 and min(pads) >= 0:
        channels, spatial = (pads[1], pads[5]), (pads[3], pads[7], pads[2], pads[6])
        if not any((pads[0], pads[4], *channels)):
            op = exactly("zero_pad2d", (site.x,), site.y, padding=spatial)
        elif not any((pads[0], pads[4], *spatial)):
            op = exactly("pad_channels", (site.x,), site.y, before=channels[0], after=channels[1])
    moved = moving("pad", site.shapes((0,)), site.results, Motion("unknown"), pad=tuple(pads), mode=mode)
    return site.made(op or moved, only=(0,))


@rule("Resize", "Upsample")
def _resize(site: Site) -> Lowered:
    mode = {"linear": "bilinear"}.get(site.get("mode", "nearest"), site.get("mode", "nearest"))
    changed = [axis for axis, (a, b) in enumerate(zip(site.x, site.y, strict=True)) if a != b]
    layout = site.get(
        "coordinate_transformation_mode", "half_pixel" if site.call.op == "Resize" else "asymmetric"
    )
    if len(site.x) == 4 and set(changed) <= {2, 3} and mode in ("nearest", "bilinear"):
        aligned = True if layout == "align_corners" and mode == "bilinear" else None
        factors = [b / a for a, b in zip(site.x[2:], site.y[2:], strict=True)]
        whole = factors[0] == factors[1] and factors[0].is_integer()
        size: dict[str, Any] = {"scale_factor": factors[0]} if whole else {"size": site.y[2:]}
        op = exactly("upsample", (site.x,), site.y, **size, mode=mode, align_corners=aligned)
        if op is not None:
            return site.made(op, only=(0,))
    # Weighted sums of the neighbours: as many products as neighbours, one addition fewer.
    neighbours = {"nearest": 1, "cubic": 4 ** len(changed)}.get(mode, 2 ** len(changed))
    work = Cost(elementwise=(2 * neighbours - 1) * prod(site.y)) if neighbours > 1 else Cost()
    details = {"size": site.y, "mode": mode}
    return site.made(
        TensorOp("interpolate", "shape", site.shapes((0,)), site.results, details, work), only=(0,)
    )


@rule("DepthToSpace", "SpaceToDepth")
def _depth_to_space(site: Site) -> Lowered:
    factor = site.get("blocksize")
    if site.call.op == "DepthToSpace" and site.get("mode", "DCR") == "CRD":
        op = exactly("pixel_shuffle", (site.x,), site.y, upscale_factor=factor)
        if op is not None:
            return site.made(op)
    name = "pixel_shuffle" if site.call.op == "DepthToSpace" else "pixel_unshuffle"
    return site.made(moving(name, site.shapes(), site.results, Motion("unknown"), factor=factor))


#: what moves data in other ways, or makes it: PyTorch's name, and the inputs that are data (all, unless given)
_MOVING: dict[str, tuple[str, tuple[int, ...] | None]] = {
    "Cast": ("to", (0,)),
    "CastLike": ("to", (0,)),
    "Identity": ("identity", (0,)),
    "Expand": ("expand", (0,)),
    "Tile": ("repeat", (0,)),
    "Split": ("split", (0,)),
    "GatherElements": ("gather", None),
    "GatherND": ("index", None),
    "ScatterElements": ("scatter", None),
    "Scatter": ("scatter", None),
    "ScatterND": ("index_put", None),
    "TensorScatter": ("index_copy", None),
    "Trilu": ("tril", (0,)),
    "OneHot": ("one_hot", (0,)),
    "ReverseSequence": ("flip", None),
    "Compress": ("masked_select", None),
    "NonZero": ("nonzero", None),
    "Shape": ("shape", None),
    "Size": ("numel", None),
    "ConstantOfShape": ("full", ()),
    "Range": ("arange", ()),
    "EyeLike": ("eye", ()),
    "Where": ("where", None),
    "CenterCropPad": ("pad", (0,)),
    "BitCast": ("view", (0,)),
    "MaxUnpool": ("max_unpool", None),
    "Col2Im": ("fold", None),
}
_MOTIONS = {"Cast": Motion("pointwise"), "CastLike": Motion("pointwise"), "Identity": Motion("pointwise")}
_MOTIONS |= {"Expand": Motion("pointwise"), "Trilu": Motion("pointwise")}


@rule(*_MOVING)
def _moving(site: Site) -> Lowered:
    name, only = _MOVING[site.call.op]
    motion = _MOTIONS.get(site.call.op, Motion("unknown"))
    return site.made(moving(name, site.shapes(only), site.results, motion), only=only)


@rule("RotaryEmbedding")
def _rotary(site: Site) -> Lowered:
    # Each element is multiplied by a cosine, its partner by a sine, and both are added.
    size = site.get("rotary_embedding_dim", 0) or site.x[-1]
    count = prod(site.x[:-1]) * min(size, site.x[-1])
    op = TensorOp(
        "rotary_embedding", "elementwise", site.shapes(), site.results, {}, Cost(elementwise=3 * count)
    )
    return site.made(op)


@rule("GridSample")
def _grid_sample(site: Site) -> Lowered:
    mode = site.get("mode", "linear")
    n = len(site.x) - 2
    neighbours = 1 if mode == "nearest" else 4**n if "cubic" in mode else 2**n
    work = Cost(elementwise=(2 * neighbours - 1) * prod(site.y) if neighbours > 1 else 0)
    return site.made(TensorOp("grid_sample", "shape", site.shapes(), site.results, {"mode": mode}, work))


@rule("RoiAlign")
def _roi_align(site: Site) -> Lowered:
    ratio = site.get("sampling_ratio", 0)
    if ratio < 1:
        raise ValueError  # as many samples as a box is large
    # Each sample is a bilinear interpolation; those of a bin are averaged.
    samples = prod(site.y) * ratio * ratio
    op = TensorOp("roi_align", "pooling", site.shapes(), site.results, {}, Cost(elementwise=8 * samples))
    return site.made(op)


# Attention and recurrent layers


@rule("Attention", "MultiHeadAttention")
def _attention(site: Site) -> Lowered:
    if site.call.domain == "com.microsoft" or len(site.results) > 3:
        raise ValueError
    query, key, value = (tensor.shape if tensor is not None else () for tensor in (site[0], site[1], site[2]))
    if len(query) == 3:
        heads, shared = site.get("q_num_heads"), site.get("kv_num_heads")
        query = (query[0], heads, query[1], query[2] // heads)
        key = (key[0], shared, key[1], key[2] // shared)
        value = (value[0], shared, value[1], value[2] // shared)
    if len(query) != 4:
        raise ValueError
    past = site[4]
    if past is not None:
        key = (*key[:2], key[2] + past.shape[2], key[3])
        value = (*value[:2], key[2], value[3])
    result = (*query[:3], value[3])
    causal = bool(site.get("is_causal", 0))
    op = attention(
        "scaled_dot_product_attention",
        site.shapes(),
        (result,),
        query,
        key,
        value,
        mask=not site.absent(3),
        causal=causal,
    )
    work = op.work
    if site.get("softcap", 0.0) and work is not None:  # a division, a tanh, a product for each score
        work += Cost(elementwise=7 * prod(query[:3]) * key[2])
    named = TensorOp(
        op.type, op.category, op.operands, site.results, op.details, work, op.formulas, op.motion
    )
    return site.made(named)


@rule("LSTM", "GRU", "RNN")
def _recurrent(site: Site) -> Lowered:
    weight, inner = site[1], site[2]
    assert weight is not None
    assert inner is not None
    if not site.absent(7):
        raise ValueError  # peepholes
    kind = site.call.op.lower()
    if kind == "rnn":
        kind = "rnn_relu" if b"Relu" in site.call.attributes.get("activations", ()) else "rnn_tanh"
    biases = [(weight.shape[1],)] * (0 if site.absent(3) else 2)
    matrices = [weight.shape[1:], inner.shape[1:], *biases] * weight.shape[0]
    op = recurrent(
        kind,
        site.shapes((0, 1, 2, 3)),
        site.results,
        prod(site.x[:2]),
        matrices,
        hidden_size=inner.shape[2],
        directions=weight.shape[0],
    )
    # States that are constants, as torch's exporter writes zeros, are no parameters.
    lowered = site.made(op, site.weights(weight_ih=1, weight_hh=2, bias=3), only=(0, 5, 6))
    lowered.reads += [tensor for tensor in (weight, inner) if not tensor.stored]
    return lowered
