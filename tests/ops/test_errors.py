"""What a user reads when layers do not fit: the code, the arithmetic and the way out."""

from __future__ import annotations

from typing import Any

import pytest

from archinspect.errors import OpError
from archinspect.ops import REGISTRY, Shapes

Case = tuple[str, dict[str, Any], Shapes, str, str, str]

CASES: list[Case] = [
    ("conv2d", {"out_channels": 8, "kernel_size": 3}, ((1, 9216),), "A301", "2 dimensions ≠ 4", "flatten"),
    (
        "conv2d",
        {"out_channels": 8, "kernel_size": 7},
        ((1, 3, 5, 5),),
        "A302",
        "input 5 < kernel 7",
        "smaller",
    ),
    (
        "conv2d",
        {"out_channels": 8, "kernel_size": 3, "groups": 3},
        ((1, 4, 5, 5),),
        "A303",
        "4 = 1×3 + 1",
        "divide 4",
    ),
    ("max_pool2d", {"kernel_size": 3, "padding": 2}, ((1, 4, 5, 5),), "A207", "2×2 = 4 > 3", "at most 1"),
    ("concat", {}, ((1, 64, 28, 28), (1, 32, 14, 28)), "A304", "height: 28 ≠ 14", "stride"),
    ("concat", {}, ((1, 64, 28, 28), (1, 32)), "A304", "4-D (1, 64, 28, 28), 2-D (1, 32)", "flatten"),
    ("add", {}, ((1, 64, 28, 28), (1, 128, 28, 28)), "A304", "channels: 64 ≠ 128", "1×1 convolution"),
    ("multiply", {}, ((1, 64, 28, 28), (1, 32, 1, 1)), "A304", "channels: 64 ≠ 32", "or 1"),
    ("layer_norm", {}, ((1, 96, 56, 56),), "A301", "", "layer_norm2d"),
    ("multihead_attention", {"num_heads": 5}, ((1, 197, 768),), "A303", "768 = 153×5 + 3", "divide 768"),
    ("pixel_shuffle", {"upscale_factor": 2}, ((1, 6, 5, 5),), "A303", "6 = 1×4 + 2", "a multiple of 4"),
    ("prelu", {"num_parameters": 3}, ((1, 6, 5, 5),), "A305", "3 ≠ 6", "num_parameters=6"),
    ("slice_channels", {"start": 4, "stop": 9}, ((1, 6, 5, 5),), "A305", "≤ 6", "in_channels"),
    ("upsample", {}, ((1, 6, 5, 5),), "A207", "", "scale_factor=2"),
    ("upsample", {"scale_factor": 0.1}, ((1, 6, 5, 5),), "A302", "⌊5×0.1⌋ = 0", "at least 1/5"),
    ("upsample", {"scale_factor": 1e15}, ((1, 6, 5, 5),), "A207", "at most 2147483647", ""),
    ("upsample", {"size": 3, "align_corners": True}, ((1, 6, 5, 5),), "A207", "", "mode='bilinear'"),
    (
        "conv2d",
        {"out_channels": 8, "kernel_size": (3, 5), "stride": 2, "padding": "same"},
        ((1, 3, 9, 9),),
        "A207",
        "stride = (2, 2)",
        "padding=(1, 2)",
    ),
    (
        "conv_transpose2d",
        {"out_channels": 8, "kernel_size": 3, "stride": 2, "output_padding": 2},
        ((1, 3, 9, 9),),
        "A207",
        "2 ≥ max(2, 1)",
        "at most 1",
    ),
    (
        "conv1d",
        {"out_channels": 8, "kernel_size": 3},
        ((1, 3, 5, 5),),
        "A301",
        "4 dimensions ≠ 3",
        "use conv2d",
    ),
    ("conv3d", {"out_channels": 8, "kernel_size": 3}, ((1, 9216),), "A301", "2 dimensions ≠ 5", "flatten"),
    (
        "conv1d",
        {"out_channels": 8, "kernel_size": 3, "padding": "same", "stride": 2},
        ((1, 3, 9),),
        "A207",
        "stride = (2,)",
        "padding=1",
    ),
    (
        "avg_pool3d",
        {"kernel_size": 3, "padding": 1},
        ((1, 4, 2, 5, 5),),
        "A302",
        "input 2 < kernel 3",
        "larger",
    ),
    ("reflection_pad1d", {"padding": 5}, ((1, 4, 5),), "A302", "5 > 5 − 1", "at most 4"),
    ("circular_pad2d", {"padding": (0, 0, 6, 0)}, ((1, 4, 5, 5),), "A302", "6 > 5", "at most 5"),
    ("upsample", {"scale_factor": 2}, ((1, 9216),), "A301", "", "after flatten"),
    ("upsample", {"size": 4, "mode": "bilinear"}, ((1, 4, 5),), "A301", "", "mode='linear'"),
    ("upsample", {"size": (4, 4)}, ((1, 4, 5),), "A301", "2 sizes for 1 spatial", "one integer"),
    ("softmax", {"dim": 4}, ((1, 6, 5, 5),), "A305", "0 … 3", "channels are 1"),
    ("flatten", {"end_dim": 2}, ((1, 6),), "A305", "2 dimensions", "batch is 0"),
    ("flatten", {"start_dim": -1, "end_dim": 1}, ((1, 6, 5),), "A305", "2 and 1", "exchange"),
    ("permute", {"dims": (0, 2, 1)}, ((1, 6, 5, 5),), "A301", "", "0 … 3"),
    ("select_token", {"index": 9}, ((1, 6, 5),), "A305", "9 < 6", "last −1"),
    ("layer_norm", {"normalized_shape": (5, 6)}, ((1, 6, 5),), "A305", "(6, 5) ≠ (5, 6)", "(6, 5)"),
    (
        "conv_transpose2d",
        {"out_channels": 1, "kernel_size": 1, "padding": 1},
        ((1, 1, 2, 2),),
        "A302",
        "= 0",
        "less",
    ),
]


@pytest.mark.parametrize(("name", "attributes", "inputs", "code", "arithmetic", "help"), CASES)
def test_an_error_says_code_arithmetic_and_way_out(
    name: str, attributes: dict[str, Any], inputs: Shapes, code: str, arithmetic: str, help: str
) -> None:
    with pytest.raises(OpError) as caught:
        REGISTRY[name].of(**attributes).shape(inputs)
    error = caught.value
    assert error.code == code
    assert arithmetic in "\n".join(error.notes)
    assert help in error.help
    if error.attribute is not None:
        assert error.attribute in {a.name for a in REGISTRY[name].attributes}


def test_an_op_is_frozen() -> None:
    relu = REGISTRY["leaky_relu"].of(0.2)
    with pytest.raises(AttributeError, match="negative_slope"):
        relu.negative_slope = 0.3  # type: ignore[attr-defined]
    assert relu == REGISTRY["leaky_relu"].of(negative_slope=0.2)
    assert len({relu, REGISTRY["leaky_relu"].of(0.2), REGISTRY["leaky_relu"].of()}) == 2


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "needs 'out_channels'"),
        ((1, 1), {"width": 3}, "no free attribute 'width'"),
        ((1,) * 9, {}, "takes 8"),
    ],
)
def test_a_wrong_construction_names_the_attribute(args: Any, kwargs: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        REGISTRY["conv2d"](*args, **kwargs)


def test_dimensions_are_numbers_and_no_texts_of_them() -> None:
    with pytest.raises(OpError, match="expected whole numbers"):
        REGISTRY["permute"].of((0, "3", "1", "2"))
