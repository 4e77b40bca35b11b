"""`dump` writes what `load` reads: shipped networks, in all their forms, and random ones."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from archinspect.frontends.spec import dump, json_schema, load_graph, read_document, shipped
from archinspect.graph import Graph

from ..strategies_networks import networks
from .support import graph_of

jsonschema = pytest.importorskip("jsonschema")
VALIDATOR = jsonschema.Draft202012Validator(json_schema())


def round_trips(graph: Graph) -> None:
    text = dump(graph)
    again = graph_of(text)
    assert again == graph
    assert again.metadata.keys() == graph.metadata.keys()
    assert dump(again) == text
    VALIDATOR.validate(yaml.safe_load(text))


@pytest.mark.parametrize("name", shipped())
def test_shipped_networks(name: str) -> None:
    round_trips(load_graph(name))
    for argument, value in read_document(name).arguments.items():
        if isinstance(value, bool):
            round_trips(load_graph(name, arguments={argument: not value}))


@given(networks())
def test_random_networks(graph: Graph) -> None:
    round_trips(graph)


@pytest.mark.many
@given(networks(max_layers=60))
def test_many_random_networks(graph: Graph) -> None:
    round_trips(graph)


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.sampled_from(["title", "source", "notes", "family"]),
)
def test_any_words_about_a_network(words: str, key: str) -> None:
    text = "name: net\ninput: 3x8x8\nlayers:\n  - relu\n"
    graph = graph_of(text)
    object.__setattr__(graph, "metadata", {**graph.metadata, key: words})
    assert graph_of(dump(graph)).metadata[key] == words


def test_side_outputs_of_a_network_that_reads_values_by_name_stay_outputs() -> None:
    text = (
        "name: n\ninput: 3x8x8\nlayers:\n  - a: conv2d(4, 1)\n  - side_output:\n      aux: conv2d(2, 1)\n"
        "  - b: conv2d(4, 3, padding=1)\n  - c: conv2d(4, 3, padding=1)\n  - d: multiply(a, b)\n  - e: subtract(c, d)\n"
    )
    graph = graph_of(text)
    again = graph_of(dump(graph))
    assert (
        [again.nodes[i].name for i in again.outputs]
        == [graph.nodes[i].name for i in graph.outputs]
        == ["e", "aux"]
    )
