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


def sizes(dimensions: int, least: int, most: int) -> st.SearchStrategy[Any]:
    """One integer, or one for each spatial dimension."""
    one = st.integers(least, most)
    return one | st.tuples(*[one] * dimensions)


channels = st.sampled_from([1, 2, 3, 4, 6, 8, 12])
#: inputs (N, C, L), (N, C, H, W) and (N, C, D, H, W)
spaces = {
    1: st.tuples(st.integers(1, 3), channels, st.integers(1, 24)),
    2: st.tuples(st.integers(1, 3), channels, st.integers(1, 12), st.integers(1, 12)),
    3: st.tuples(st.integers(1, 2), channels, st.integers(1, 5), st.integers(1, 6), st.integers(1, 6)),
}
maps = spaces[2]
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
    space = draw(st.sampled_from([1, 2, 2, 3]))
    attributes: dict[str, Any] = (
        {"size": draw(sizes(space, 1, 9))}
        if draw(flag)
        else {"scale_factor": draw(st.sampled_from([1, 2, 3, 0.5, 1.5, 2.25]))}
    )
    if draw(flag):
        attributes["mode"] = {1: "linear", 2: "bilinear", 3: "trilinear"}[space]
        attributes["align_corners"] = draw(st.sampled_from([None, True, False]))
    # Now and then something else than what mode and size are meant for.
    return attributes, (draw(spaces[draw(st.sampled_from([space, space, space, 1, 2, 3]))]),)


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


def kept_sizes(n: int) -> st.SearchStrategy[Any]:
    """Sizes of the output of an adaptive pool; None keeps the input's."""
    return sizes(n, 1, 8) if n == 1 else sizes(n, 1, 8) | st.tuples(*[st.none() | st.integers(1, 8)] * n)


def _families(n: int) -> dict[str, st.SearchStrategy[Case]]:
    """The ops that exist for each number of spatial dimensions."""
    inputs = spaces[n]
    pool = {
        "kernel_size_": sizes(n, 1, 4),
        "stride": st.none() | sizes(n, 1, 3),
        "padding": sizes(n, 0, 2),
        "ceil_mode": flag,
    }
    border = st.integers(0, 3) | st.tuples(*[st.integers(0, 3)] * (2 * n))
    statistics = {"eps": eps, "momentum": st.none() | rate, "affine": flag, "track_running_stats": flag}
    return {
        f"adaptive_avg_pool{n}d": case(inputs, output_size_=kept_sizes(n)),
        f"adaptive_max_pool{n}d": case(inputs, output_size_=kept_sizes(n)),
        f"avg_pool{n}d": case(inputs, **pool, count_include_pad=flag),
        f"lp_pool{n}d": case(
            inputs,
            norm_type_=st.sampled_from([1.0, 2.0]),
            **{name: drawn for name, drawn in pool.items() if name != "padding"},
        ),
        f"batch_norm{n}d": case(inputs | features if n == 1 else inputs, **statistics),
        f"circular_pad{n}d": case(inputs, padding_=border),
        f"conv{n}d": case(
            inputs,
            out_channels_=channels,
            kernel_size_=sizes(n, 1, 4),
            stride=sizes(n, 1, 3),
            padding=st.sampled_from(["same", "valid"]) | sizes(n, 0, 3),
            dilation=sizes(n, 1, 3),
            groups=small,
            bias=flag,
            padding_mode=st.sampled_from(["zeros", "reflect", "replicate", "circular"]),
        ),
        f"conv_transpose{n}d": case(
            inputs,
            out_channels_=channels,
            kernel_size_=sizes(n, 1, 4),
            stride=sizes(n, 1, 3),
            padding=sizes(n, 0, 2),
            output_padding=sizes(n, 0, 2),
            groups=small,
            bias=flag,
            dilation=sizes(n, 1, 2),
        ),
        f"dropout{n}d": case(inputs, p=rate),
        f"instance_norm{n}d": case(inputs, eps=eps, affine=flag),
        f"max_pool{n}d": case(inputs, **pool, dilation=sizes(n, 1, 2)),
        f"reflection_pad{n}d": case(inputs, padding_=border),
        f"replication_pad{n}d": case(inputs, padding_=border),
        f"zero_pad{n}d": case(inputs, padding_=border | st.integers(-2, 0)),
    }


ids = st.tuples(st.integers(1, 3), st.integers(1, 6))
even_tokens = st.tuples(st.integers(1, 3), st.integers(1, 6), st.sampled_from([2, 4, 6, 8, 12]))
dimension = st.integers(-4, 3)


@st.composite
def reduced(draw: st.DrawFn) -> Case:
    shape = draw(anything)
    dims = draw(st.lists(st.integers(-2, len(shape) - 1), min_size=1, max_size=2))
    return {"dim": tuple(dims) if draw(flag) else dims[0], "keepdim": draw(flag)}, (shape,)


@st.composite
def attention_core(draw: st.DrawFn) -> Case:
    batch, length, keys = draw(st.tuples(st.integers(1, 2), st.integers(1, 4), st.integers(1, 4)))
    kv, group, width, value = (draw(st.integers(1, 3)) for _ in range(4))
    heads = kv * group
    attributes: dict[str, Any] = {"num_heads": heads, "kv_heads": kv, "is_causal": draw(flag)}
    attributes |= {} if draw(flag) else {"scale": 1.0, "window": draw(small)}
    inputs = [(batch, length, heads * width), (batch, keys, kv * width), (batch, keys, kv * value)]
    return attributes, tuple(inputs)


@st.composite
def windows(draw: st.DrawFn) -> Case:
    rows, columns = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    heads = draw(small)
    window = draw(st.integers(1, 4))
    attributes = {"num_heads": heads, "window_size": window, "shift_size": window // 2, "height": rows}
    return attributes, ((draw(st.integers(1, 2)), rows * columns, heads * draw(small)),)


@st.composite
def experts(draw: st.DrawFn) -> Case:
    count = draw(small)
    attributes: dict[str, Any] = {
        "num_experts": count, "top_k": draw(st.integers(1, 4)), "hidden_features": draw(channels),
        "gated": draw(flag), "bias": draw(flag), "activation": draw(st.sampled_from(["relu", "gelu", "silu"])),
    }  # fmt: skip
    x = draw(tokens)
    return attributes, (x, (*x[:2], count)) if draw(flag) else (x,)


@st.composite
def of_two(draw: st.DrawFn) -> Case:
    """Two values of one shape, the second now and then with a size of one."""
    shape = draw(anything)
    at = draw(st.integers(1, len(shape) - 1))
    return {}, (shape, (*shape[:at], 1, *shape[at + 1 :]) if draw(flag) else shape)


@st.composite
def matrices(draw: st.DrawFn) -> Case:
    batch, a, b, c = (draw(small) for _ in range(4))
    first = draw(st.sampled_from([(batch,), (batch, 2)]))
    return {}, ((*first, a, b), (*first, b if draw(st.integers(0, 9)) else b + 1, c))


@st.composite
def recurrent(draw: st.DrawFn, **more: st.SearchStrategy[Any]) -> Case:
    attributes: dict[str, Any] = {
        "hidden_size": draw(small), "num_layers": draw(st.integers(1, 2)), "bias": draw(flag),
        "bidirectional": draw(flag), "batch_first": draw(st.sampled_from([True, True, False])),
    }  # fmt: skip
    attributes |= {name: draw(each) for name, each in more.items()}
    shape = draw(tokens | (features if draw(st.integers(0, 9)) == 0 else tokens))
    return attributes, (shape,)


@st.composite
def rolled(draw: st.DrawFn) -> Case:
    shape = draw(anything)
    dims = draw(st.lists(st.integers(1, len(shape) - 1), min_size=1, max_size=2, unique=True))
    return {"shifts": tuple([draw(st.integers(-3, 3)) for _ in dims]), "dims": tuple(dims)}, (shape,)


@st.composite
def einsums(draw: st.DrawFn) -> Case:
    equation = draw(
        st.sampled_from(["bij,bjk->bik", "bi,bj->bij", "bhld,bhmd->bhlm", "bij,bij->bij", "bij,bij->b"])
    )
    sizes_ = {letter: draw(small) for letter in "bijkhldm"}
    terms = equation.partition("->")[0].split(",")
    return {"equation": equation}, tuple(tuple(sizes_[letter] for letter in term) for term in terms)


@st.composite
def attention(draw: st.DrawFn) -> Case:
    attributes, (x,) = draw(case(tokens, num_heads_=small, dropout=rate, bias=flag))
    if draw(flag):
        kv = draw(st.sampled_from([None, 1, 2]))
        attributes |= {"add_bias_kv": draw(flag), "is_causal": draw(flag), "kv_heads": kv}
    memory = (x[0], draw(small))
    more = draw(st.integers(0, 2))
    return attributes, (x, *[(*memory, draw(channels)) for _ in range(more)])


STRATEGIES: dict[str, st.SearchStrategy[Case]] = {
    **_families(1),
    **_families(2),
    **_families(3),
    "add": joined(equal=True),
    "batch_norm2d": case(
        maps, eps=eps, momentum=st.none() | rate, affine=flag, track_running_stats=flag, scale=flag
    ),
    "channel_shuffle": case(maps, groups_=small),
    "class_token": case(tokens),
    "concat": joined(equal=False),
    "drop_path": case(anything, p_=rate),
    "dropout": case(anything, p=rate),
    "elu": case(anything, alpha=rate),
    "flatten": case(anything, start_dim=st.integers(-2, 2), end_dim=st.integers(-2, 2)),
    "gelu": case(anything, approximate=st.sampled_from(["none", "tanh"])),
    "group_norm": case(maps, num_groups_=small, eps=eps, affine=flag),
    "hardsigmoid": case(anything),
    "hardswish": case(anything),
    "identity": case(anything),
    "layer_norm": layer_norm(),
    "layer_norm2d": case(maps, eps=eps),
    "layer_scale": case(anything, init=rate),
    "leaky_relu": case(anything, negative_slope=rate),
    "linear": case(anything, out_features_=channels, bias=flag),
    "local_response_norm": case(maps, size_=small, alpha=rate, beta=rate, k=rate),
    "mish": case(anything),
    "mean_tokens": case(tokens),
    "multihead_attention": attention(),
    "multiply": joined(equal=True),
    "pad_channels": case(maps, before=small, after=small),
    "permute": permutation(),
    "pixel_shuffle": case(maps, upscale_factor_=small),
    "position_embedding": case(tokens, num_positions=st.integers(1, 9)),
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
    "absolute": case(anything),
    "exp": case(anything),
    "amax": reduced(),
    "bilinear": st.tuples(
        st.fixed_dictionaries({"out_features": channels, "bias": flag}),
        st.tuples(small, channels, channels).map(lambda n: ((n[0], n[1]), (n[0], n[2]))),
    ),
    "celu": case(anything, alpha=st.sampled_from([0.5, 1.0])),
    "center_crop": case(maps, size_=st.integers(1, 8) | st.tuples(st.integers(1, 8), st.integers(1, 8))),
    "chunk": case(anything, chunks_=small, dim=dimension),
    "divide": of_two(),
    "dot_product_attention": attention_core(),
    "einsum": einsums(),
    "embedding": case(ids, num_embeddings_=small, embedding_dim_=small, padding_idx=st.integers(-3, 3)),
    "embedding_bag": case(
        ids, num_embeddings_=small, embedding_dim_=small, mode=st.sampled_from(["mean", "sum", "max"])
    ),
    "glu": case(anything, dim=dimension),
    "gru": recurrent(),
    "hardtanh": case(anything, min_val=st.sampled_from([-1, 0]), max_val=st.sampled_from([0, 1, 20])),
    "log_sigmoid": case(anything),
    "log_softmax": case(anything, dim=dimension),
    "lstm": recurrent(proj_size=st.integers(0, 2)),
    "matmul": matrices(),
    "maximum": of_two(),
    "mean": reduced(),
    "merge_patches": windows().map(lambda c: ({"height": c[0]["height"]}, c[1])),
    "mixture_of_experts": experts(),
    "offset": case(anything, value_=rate),
    "parameter": case(anything, sizes_=small | st.tuples(small, small), trainable=flag),
    "pixel_unshuffle": case(maps, downscale_factor_=small),
    "power": case(anything, exponent_=rate),
    "relative_position_bias": case(
        tokens, num_heads_=small, num_buckets=st.sampled_from([4, 8]), bidirectional=flag
    ),
    "reshape": case(anything, sizes_=st.integers(-1, 12) | st.tuples(st.integers(-1, 6), st.integers(-1, 6))),
    "rms_norm": case(features | tokens, eps=eps, elementwise_affine=flag),
    "rnn": recurrent(nonlinearity=st.sampled_from(["tanh", "relu"])),
    "roll": rolled(),
    "rotary_embedding": case(tokens, num_heads_=small),
    "select": case(anything, index_=st.integers(-4, 4), dim_=dimension),
    "selu": case(anything),
    "shifted_window_attention": windows(),
    "sinusoidal_position_encoding": case(even_tokens),
    "slice": case(anything, start_=st.integers(-4, 4), stop_=st.integers(-3, 6), dim_=st.integers(-3, 3)),
    "softmin": case(anything, dim=dimension),
    "softplus": case(anything, beta=st.sampled_from([1, 2])),
    "softsign": case(anything),
    "split": case(anything, split_size_=small | st.tuples(small, small), dim=dimension),
    "subtract": of_two(),
    "sync_batch_norm": case(anything, eps=eps, momentum=st.none() | rate, affine=flag),
    "fold": st.tuples(
        st.fixed_dictionaries({"output_size": st.integers(2, 5), "kernel_size": st.integers(1, 2)}),
        st.just(((2, 4, 9),)),
    ),
    "unfold": case(maps, kernel_size_=sizes(2, 1, 3), stride=sizes(2, 1, 2), padding=sizes(2, 0, 2)),
    "sum": reduced(),
    "swiglu": case(anything, dim=dimension),
    "transpose": case(anything, dim0_=dimension, dim1_=dimension),
}
