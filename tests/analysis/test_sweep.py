"""Sweeps: the same figures as one analysis a variant, only faster."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archinspect.analysis import Totals, analyse
from archinspect.errors import ArchinspectError
from archinspect.frontends.spec import load_graph, shipped
from archinspect.sweep import Evaluator, Figures, Objective, Variant, front, grid, objectives, sweep
from tests.strategies_networks import graph_of, specs

KEYS = (
    "params",
    "buffers",
    "macs",
    "flops",
    "weight_bytes",
    "activation_bytes",
    "peak_activation_bytes",
    "complete",
)


def agree(figures: Figures, totals: Totals) -> None:
    assert {key: getattr(figures, key) for key in KEYS} == {key: getattr(totals, key) for key in KEYS}


@pytest.mark.parametrize("model", shipped())
def test_figures_are_the_analysis_of_every_shipped_network(model: str) -> None:
    agree(Evaluator(model).figures({}), analyse(load_graph(model)).totals)


@given(specs(max_layers=40))
def test_figures_are_the_analysis_of_any_network(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("sweep") / "random.yaml"
    path.write_text(text, encoding="utf-8")
    evaluator = Evaluator(str(path))
    for _ in range(2):  # the second time everything is remembered
        agree(evaluator.figures({}), analyse(graph_of(text)).totals)


@pytest.mark.parametrize(
    ("model", "settings", "inputs"),
    [
        ("resnet50", ["num_classes=10,1000", "stride_in_1x1=true,false"], ["3x64x64,3x96x128,2x3x64x64"]),
        ("googlenet", ["num_classes=10", "aux=true,false"], ["3x224x224,3x192x192"]),
        ("mobilenet_v2", ["width_multiplier=0.35,1.0,1.4"], ["3x96x96", "3x128x128"]),
    ],
)
def test_one_evaluator_remembers_nothing_wrong(model: str, settings: list[str], inputs: list[str]) -> None:
    """Variants that share blocks, in an order in which arguments, input and width alternate."""
    evaluator = Evaluator(model)
    for setting in grid(settings, inputs):
        arguments = {name: value for name, value in setting.items() if name != "input"}
        expected = analyse(load_graph(model, arguments=arguments, input=setting["input"])).totals
        agree(evaluator.figures(arguments, setting["input"]), expected)


def test_a_block_that_reads_the_networks_arguments_through_another_block(
    tmp_path: pytest.TempPathFactory,
) -> None:
    path = tmp_path / "deep.yaml"  # type: ignore[operator]
    path.write_text(
        """\
name: deep
input: 3x16x16
arguments: {width: 4, wide: false}
blocks:
  outer(n):
    - inner: inner(n)
    - again if wide: inner(2 * n)
  inner(n):
    - conv: conv2d(n * width, 3, padding=1)
layers:
  - a[1..2]: outer(2)
"""
    )
    found = sweep(str(path), grid(["width=1:3", "wide=true,false"]))
    for variant in found.variants:
        agree(variant.figures, analyse(load_graph(str(path), arguments=variant.settings)).totals)  # type: ignore[arg-type]
    assert len({variant.figures.params for variant in found.variants if variant.figures}) == 6


def test_the_grid_has_every_combination_in_order() -> None:
    made = grid(["a=1,2", "b=x"], ["3x4x4,3x8x8"])
    assert made.names == ("a", "b", "input")
    assert [tuple(point.values()) for point in made] == [
        (1, "x", "3x4x4"),
        (1, "x", "3x8x8"),
        (2, "x", "3x4x4"),
        (2, "x", "3x8x8"),
    ]
    assert [point["n"] for point in grid(["n=2:10:4,20"])] == [2, 6, 10, 20]


@pytest.mark.parametrize(
    ("settings", "inputs", "code"),
    [
        ([], [], "A403"),
        (["a"], [], "A401"),
        (["a="], [], "A401"),
        (["a=1", "a=2"], [], "A401"),
        (["a=5:1"], [], "A401"),
        (["a=1:9:0"], [], "A401"),
        (["input=3x4x4"], ["3x8x8"], "A401"),
        (["a=1:2000", "b=1:2000"], [], "A103"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(settings: list[str], inputs: list[str], code: str) -> None:
    with pytest.raises(ArchinspectError, match=code):
        grid(settings, inputs)


def test_a_variant_that_cannot_be_laid_out_says_why_and_the_others_go_on() -> None:
    found = sweep("alexnet", grid([], ["3x20x20,3x227x227"]))
    assert [variant.figures is None for variant in found.variants] == [True, False]
    assert found.variants[0].error.startswith("A302: ")


def test_a_sweep_in_which_nothing_can_be_laid_out_raises_the_first_error() -> None:
    with pytest.raises(ArchinspectError, match="A302"):
        sweep("alexnet", grid([], ["3x20x20,3x21x21"]))


def test_an_unknown_argument_is_refused_at_once() -> None:
    with pytest.raises(ArchinspectError, match="did you mean 'num_classes'"):
        sweep("resnet50", grid(["num_clases=1:9"]))


def test_processes_find_what_one_finds() -> None:
    made = grid(["num_classes=1:600"])
    alone, shared = (sweep("alexnet", made, jobs=jobs) for jobs in (1, 2))
    assert alone == shared
    assert shared.complete


def test_an_interrupt_keeps_what_is_done() -> None:
    def interrupt(count: int) -> None:
        done.append(count)
        if len(done) == 5:
            raise KeyboardInterrupt

    done: list[int] = []
    found = sweep("alexnet", grid(["num_classes=1:50"]), jobs=1, progress=interrupt)
    assert not found.complete
    assert [variant.settings["num_classes"] for variant in found.variants] == [1, 2, 3, 4, 5]


def point(params: int, macs: int, elements: int = 0) -> Variant:
    return Variant({}, Figures((1,), params, 0, macs, 0, elements, 0, True))


@given(st.lists(st.tuples(*[st.integers(0, 6)] * 3), max_size=25), st.sampled_from([2, 3]), st.booleans())
@settings(max_examples=80)
def test_the_front_is_what_no_other_point_beats(
    points: list[tuple[int, int, int]], count: int, largest: bool
) -> None:
    variants = [point(*p) for p in points]
    wanted = [Objective("macs"), Objective("params", largest), Objective("activation_bytes")][:count]
    values = [tuple(objective.value(v) for objective in wanted) for v in variants]

    def beaten(mine: tuple[float, ...]) -> bool:
        return any(
            other != mine and all(a <= b for a, b in zip(other, mine, strict=True)) for other in values
        )

    assert front(variants, wanted) == {i for i, mine in enumerate(values) if not beaten(mine)}


def test_objectives_are_figures_or_numeric_settings() -> None:
    assert objectives("macs,params:max,width:min", ["width"]) == (
        Objective("macs"),
        Objective("params", largest=True),
        Objective("width"),
    )
    for text in ("accuracy", "macs:most", ""):
        with pytest.raises(ArchinspectError, match="A403"):
            objectives(text, [])
