"""Random attributes and inputs for every op, valid and invalid ones alike."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from archinspect.ops import Shapes

Case = tuple[dict[str, Any], Shapes]

small = st.integers(1, 4)
rate = st.sampled_from([0, 0.1, 0.25, 0.5])
eps = st.sampled_from([1e-5, 1e-6, 0.001])
flag = st.booleans()


def pairs(least: int, most: int) -> st.SearchStrategy[Any]:
    one = st.integers(least, most)
    return one | st.tuples(one, one)


channels = st.sampled_from([1, 2, 3, 4, 6, 8, 12])
maps = st.tuples(st.integers(1, 3), channels, st.integers(1, 12), st.integers(1, 12))
features = st.tuples(st.integers(1, 3), st.integers(1, 12))
tokens = st.tuples(st.integers(1, 3), st.integers(1, 6), channels)
anything = maps | features | tokens


def case(inputs: st.SearchStrategy[Any], **attributes: st.SearchStrategy[Any]) -> st.SearchStrategy[Case]:
    """One input; every attribute is given or left to its default."""
    required = {name.removesuffix("_"): s for name, s in attributes.items() if name.endswith("_")}
    optional = {name: s for name, s in attributes.items() if not name.endswith("_")}
    given = st.fixed_dictionaries(required, optional=optional)
    return st.tuples(given, inputs.map(lambda shape: (shape,)))


@st.composite
def upsampling(draw: st.DrawFn) -> Case:
    attributes: dict[str, Any] = (
        {"size": draw(pairs(1, 9))}
        if draw(flag)
        else {"scale_factor": draw(st.sampled_from([1, 2, 3, 0.5, 1.5, 2.25]))}
    )
    if draw(flag):
        attributes["mode"] = "bilinear"
        attributes["align_corners"] = draw(st.sampled_from([None, True, False]))
    return attributes, (draw(maps),)


@st.composite
def permutation(draw: st.DrawFn) -> Case:
    shape = draw(anything)
    return {"dims": (0, *draw(st.permutations(range(1, len(shape)))))}, (shape,)


@st.composite
def layer_norm(draw: st.DrawFn) -> Case:
    attributes, (shape,) = draw(case(features | tokens, eps=eps, elementwise_affine=flag, bias=flag))
    if draw(flag):
        shape = draw(anything)
        count = draw(st.integers(1, len(shape) - 1))
        attributes = {**attributes, "normalized_shape": shape[-count:]}
    return attributes, (shape,)


@st.composite
def joined(draw: st.DrawFn, equal: bool) -> Case:
    """Branches that agree where they must, now and then with one wrong dimension."""
    shape = draw(anything)
    branches = []
    for _ in range(draw(st.integers(2, 4))):
        branch = list(shape)
        if not equal:
            branch[1] = draw(small)
        elif len(shape) == 4 and draw(flag):
            branch[2:] = [1, 1]
        branches.append(tuple(branch))
    if draw(st.integers(0, 9)) == 0:
        axis = draw(st.sampled_from([a for a in range(len(shape)) if equal or a != 1]))
        wrong = list(branches[-1])
        wrong[axis] = max(max(branch[axis] for branch in branches), 1) + 1
        if all(branch[axis] > 1 for branch in branches) or not equal:  # a dimension of one is repeated
            branches[-1] = tuple(wrong)
    return {}, tuple(branches)


_POOL = {
    "kernel_size_": pairs(1, 4),
    "stride": st.none() | pairs(1, 3),
    "padding": pairs(0, 2),
    "ceil_mode": flag,
}

STRATEGIES: dict[str, st.SearchStrategy[Case]] = {
    "adaptive_avg_pool2d": case(maps, output_size_=pairs(1, 8)),
    "adaptive_max_pool2d": case(maps, output_size_=pairs(1, 8)),
    "add": joined(equal=True),
    "avg_pool2d": case(maps, **_POOL, count_include_pad=flag),
    "batch_norm2d": case(
        maps, eps=eps, momentum=st.none() | rate, affine=flag, track_running_stats=flag, scale=flag
    ),
    "channel_shuffle": case(maps, groups_=small),
    "class_token": case(tokens),
    "concat": joined(equal=False),
    "conv2d": case(
        maps,
        out_channels_=channels,
        kernel_size_=pairs(1, 4),
        stride=pairs(1, 3),
        padding=st.sampled_from(["same", "valid"]) | pairs(0, 3),
        dilation=pairs(1, 3),
        groups=small,
        bias=flag,
    ),
    "conv_transpose2d": case(
        maps,
        out_channels_=channels,
        kernel_size_=pairs(1, 4),
        stride=pairs(1, 3),
        padding=pairs(0, 2),
        output_padding=pairs(0, 2),
        groups=small,
        bias=flag,
        dilation=pairs(1, 2),
    ),
    "drop_path": case(anything, p_=rate),
    "dropout": case(anything, p=rate),
    "dropout2d": case(maps, p=rate),
    "elu": case(anything, alpha=rate),
    "flatten": case(anything, start_dim=st.integers(-2, 2), end_dim=st.integers(-2, 2)),
    "gelu": case(anything, approximate=st.sampled_from(["none", "tanh"])),
    "group_norm": case(maps, num_groups_=small, eps=eps, affine=flag),
    "hardsigmoid": case(anything),
    "hardswish": case(anything),
    "identity": case(anything),
    "instance_norm2d": case(maps, eps=eps, affine=flag),
    "layer_norm": layer_norm(),
    "layer_norm2d": case(maps, eps=eps),
    "layer_scale": case(anything, init=rate),
    "leaky_relu": case(anything, negative_slope=rate),
    "linear": case(features | tokens, out_features_=channels, bias=flag),
    "local_response_norm": case(maps, size_=small, alpha=rate, beta=rate, k=rate),
    "max_pool2d": case(maps, **_POOL, dilation=pairs(1, 2)),
    "mish": case(anything),
    "mean_tokens": case(tokens),
    "multihead_attention": case(tokens, num_heads_=small, dropout=rate, bias=flag),
    "multiply": joined(equal=True),
    "pad_channels": case(maps, before=small, after=small),
    "permute": permutation(),
    "pixel_shuffle": case(maps, upscale_factor_=small),
    "position_embedding": case(tokens),
    "prelu": case(anything, num_parameters=channels, init=rate),
    "relu": case(anything),
    "relu6": case(anything),
    "scale": case(anything, factor_=rate),
    "select_token": case(tokens, index=st.integers(-4, 4)),
    "sigmoid": case(anything),
    "silu": case(anything),
    "slice_channels": case(maps, start_=st.integers(0, 4), stop_=st.integers(1, 8)),
    "softmax": case(anything, dim=st.integers(-4, 3)),
    "tanh": case(anything),
    "tokens": case(maps),
    "upsample": upsampling(),
    "zero_pad2d": case(maps, padding_=st.integers(0, 3) | st.tuples(*[st.integers(0, 3)] * 4)),
}
