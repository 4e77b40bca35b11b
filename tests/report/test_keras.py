"""Keras' table of any network: nothing that has parameters is left out, and shapes are as Keras has them."""

from __future__ import annotations

import pytest

from archinspect.analysis import analyse
from archinspect.frontends.spec import load_graph, shipped
from archinspect.report.keras import keras
from archinspect.report.table import Table


def table(model: str, input: str | None = None, depth: int | None = None) -> Table:
    graph = load_graph(model, input=input)
    analysis = analyse(graph)
    (found,) = keras(graph, analysis if depth is None else analysis.fold(depth)).tables
    return found


@pytest.mark.parametrize("name", shipped())
def test_rows_sum_to_the_total(name: str) -> None:
    for depth in (None, 1):
        found = table(name, depth=depth)
        assert f"Total params: {sum(row[2] for row in found.rows):,} (" in found.notes[0]  # type: ignore[misc]


def test_an_activation_with_weights_is_a_layer_of_its_own() -> None:
    found = table("conv2d(8, 3) -> prelu(8) -> conv2d(8, 1) -> gelu -> scale(2)", "3x9x9")
    assert [(row[0], row[2]) for row in found.rows] == [
        ("conv2d (Conv2D)", 224),
        ("prelu (PReLU)", 8),
        ("conv2d_1 (Conv2D)", 72),
        ("scale (Rescaling)", 0),
    ]


def test_classes_that_depend_on_how_a_layer_is_used() -> None:
    line = (
        "conv2d(6, 3, groups=3) -> batch_norm2d -> tanh -> adaptive_avg_pool2d(2)"
        " -> adaptive_max_pool2d(1) -> flatten -> sigmoid"
    )
    assert [str(row[0]).partition(" ")[2] for row in table(line, "3x9x9").rows] == [
        "(DepthwiseConv2D)",
        "(BatchNormalization)",
        "(Activation)",
        "(AdaptiveAveragePooling2D)",
        "(GlobalMaxPooling2D)",
        "(Flatten)",
        "(Activation)",
    ]


def test_maps_are_channels_last_and_tokens_as_they_are() -> None:
    found = table("conv2d(8, 3) -> tokens -> linear(5) -> select_token", "3x9x7")
    assert [row[1] for row in found.rows] == [
        "(None, 7, 5, 8)",
        "(None, 35, 8)",
        "(None, 35, 5)",
        "(None, 5)",
    ]
