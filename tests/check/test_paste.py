"""Tables as people paste them: read, aligned with the network, judged, and written as a ledger."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path

import pytest

from archinspect.analysis import analyse
from archinspect.check.align import ledger_of
from archinspect.check.judge import Judge, judge
from archinspect.check.layers import described
from archinspect.check.quantities import size
from archinspect.check.reading import read_text
from archinspect.check.select import has_weights
from archinspect.check.verdicts import Judgement
from archinspect.frontends.spec import load_graph
from archinspect.graph import Node
from tests.check import teachers
from tests.support import DOCS, run_cli

KERAS = """Model: "vgg16"
_________________________________________________________________
 Layer (type)                Output Shape              Param #
=================================================================
 input_1 (InputLayer)        [(None, 224, 224, 3)]     0

 block1_conv1 (Conv2D)       (None, 224, 224, 64)      1792
 block1_conv2 (Conv2D)       (None, 224, 224, 64)      36928
 block1_pool (MaxPooling2D)  (None, 112, 112, 64)      0
 block2_conv1 (Conv2D)       (None, 112, 112, 128)     73856
 block2_conv2 (Conv2D)       (None, 112, 112, 128)     147548
 block2_pool (MaxPooling2D)  (None, 56, 56, 128)       0
 flatten (Flatten)           (None, 25088)             0
 fc1 (Dense)                 (None, 4096)              102764544
 fc2 (Dense)                 (None, 4096)              16781312
 predictions (Dense)         (None, 1000)              4097000
=================================================================
Total params: 138,357,544
Trainable params: 138,357,544
Non-trainable params: 0
"""
LATEX = r"""\begin{tabular}{lrr} \toprule Layer & Output & Parameters \\ \midrule
C1 & $28\times28\times6$ & 156 \\ S2 & $14\times14\times6$ & 0 \\ C3 & $10\times10\times16$ & 2{,}416 \\
C5 & 120 & 48{,}001 \\ F6 & 84 & 10{,}081 \\ output & 10 & 841 \\ \bottomrule \end{tabular} LeNet-5"""


def pasted(text: str, model: str = "") -> tuple[str, list[Judgement]]:
    aligned = ledger_of(text, model=model)
    return aligned.model, [j for j in judge(read_text(aligned.text)) if j.wrong]


def test_keras_summary_finds_its_network_and_the_swapped_digits() -> None:
    model, (wrong,) = pasted(KERAS)
    assert (model, wrong.claim.layers) == ("vgg16", ("conv2_2",))
    assert wrong.cause == "digits swapped: 147548 for 147,584"


def test_latex_and_one_bias_for_a_whole_layer() -> None:
    model, wrong = pasted(LATEX)
    assert model == "lenet5"
    assert ["one bias for the whole layer" in j.cause for j in wrong] == [True] * 3


def test_rows_may_be_networks_and_headings_have_units() -> None:
    _, wrong = pasted("Model,Params (M),GMACs\nResNet-50,25.6,4.09\nVGG-16,138.4,15.47\nVGG-19,143.7,19.6\n")
    assert wrong == []


ROW = ("Layer", "Type", "Output shape", "Params", "MACs")


def rows_of(name: str) -> list[tuple[str, ...]]:
    """A true table of a network's layers."""
    found: list[tuple[str, ...]] = []
    for row in analyse(load_graph(name)).rows:
        shape = "×".join(map(str, (*row.output_shape[2:], row.output_shape[1])))
        found.append(
            (
                row.name,
                row.op,
                shape if len(row.output_shape) == 4 else "-",
                f"{row.params:,}",
                f"{row.macs:,}",
            )
        )
    return found


def in_markdown(name: str) -> str:
    lines = [" | ".join(row) for row in rows_of(name)]
    return "\n".join(
        ["| " + " | ".join(ROW) + " |", "|---|---|---|---|---|", *(f"| {line} |" for line in lines)]
    )


def in_html(name: str) -> str:
    rows = ["".join(f"<td>{cell}</td>" for cell in row) for row in (ROW, *rows_of(name))]
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"


def in_tabs(name: str) -> str:
    return "\n".join("\t".join(row) for row in (ROW, *rows_of(name)))


def in_columns(name: str) -> str:
    return "\n".join("  ".join(cell.ljust(34) for cell in row) for row in (ROW, *rows_of(name)))


def in_latex(name: str) -> str:
    rows = [
        " & ".join(row).replace("_", r"\_").replace("×", r"$\times$") + r" \\"
        for row in (ROW, *rows_of(name))
    ]
    return "\\begin{tabular}{lllrr}\n" + "\n".join(rows) + "\n\\end{tabular}"


@pytest.mark.parametrize("form", [in_markdown, in_html, in_tabs, in_columns, in_latex])
@pytest.mark.parametrize("name", ["alexnet", "mobilenet_v1"])
def test_true_tables_in_every_form_raise_no_alarm(name: str, form: object) -> None:
    assert callable(form)
    aligned = ledger_of(form(name), model=name)
    judgements = judge(read_text(aligned.text))
    assert len(judgements) > 40
    assert [(j.claim.id, j.claim.stated.text, j.cause) for j in judgements if j.wrong] == []
    assert aligned.left_out == []


def test_the_command_reads_standard_input_and_writes_a_ledger(tmp_path: Path) -> None:
    done = run_cli("check", "--paste", input=KERAS)
    assert done.returncode == 1
    assert "digits swapped" in done.stdout
    assert "not aligned" in done.stderr  # the input
    ledger = tmp_path / "claims.yaml"
    assert run_cli("check", "--paste", "-o", str(ledger), input=KERAS).returncode == 0
    assert run_cli("check", "--claims", str(ledger)).returncode == 1


def test_a_text_without_a_table_is_refused() -> None:
    done = run_cli("check", "--paste", input="nothing here\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no table was found" in done.stderr


def sized(node: Node, quantity: str) -> int:
    return size((node,), quantity) or 0


def twin(node: Node, model: str, **settings: object) -> int:
    return sized(load_graph(model, **settings).by_name[node.name], "macs")  # type: ignore[arg-type]


def without_biases(node: Node) -> int:
    return sized(node, "params") - sum(shape[0] for shape in node.weights.values() if len(shape) == 1)


def without_inputs(node: Node) -> int:
    layer = described(node)
    fewer = (layer.inputs - 1) * prod(layer.kernel) * layer.outputs if layer.kernel else 0
    return sized(node, "params") - fewer


def exactly(value: float) -> str:
    return f"{value:,}"


def rounded(value: float) -> str:
    scale, unit = next((s, u) for s, u in ((1e9, "G"), (1e6, "M"), (1e3, "K"), (1, "")) if value >= s)
    return f"{value / scale:.2f}{unit}"


@pytest.mark.parametrize(
    ("model", "heading", "figure", "printed", "words"),
    [
        ("vgg16", "Params", without_biases, exactly, "biases are left out"),
        ("vgg11", "Params", lambda node: without_biases(node) + 1, exactly, "one bias is counted"),
        ("vgg16", "Params", without_inputs, exactly, "the input channels are left out"),
        ("alexnet", "Params", lambda node: 10 * sized(node, "params"), exactly, "all are multiplied by 10"),
        ("alexnet", "MACs", lambda node: 2 * sized(node, "macs"), rounded, "twice the multiply-accumulates"),
        ("resnet34", "FLOPs", lambda node: sized(node, "macs"), rounded, "these are multiply-accumulates"),
        ("vgg11", "MACs", lambda node: 8 * sized(node, "macs"), exactly, "for a batch of 8"),
        ("resnet18", "MACs", lambda node: twin(node, "resnet18", input=(1, 3, 256, 256)), rounded, "256×256"),
        (
            "mobilenet_v2",
            "MACs",
            lambda node: sized(node, "macs") * int(getattr(node.op, "groups", 1)),
            exactly,
            "groups are ignored",
        ),
        ("alexnet", "MACs", lambda node: twin(node, "alexnet_grouped"), exactly, "it is alexnet_grouped"),
        (
            "vgg16",
            "Size (MB)",
            lambda node: 2 * sized(node, "params") / 2**20,
            lambda value: f"{value:.3f}",
            "2 bytes each",
        ),
    ],
)
def test_what_is_wrong_in_a_whole_column_is_stated_once(
    model: str, heading: str, figure: Callable[[Node], float], printed: Callable[[float], str], words: str
) -> None:
    nodes = [node for node in load_graph(model).layers if has_weights(node)][:12]
    rows = [f"| {node.name} | {printed(figure(node))} |" for node in nodes]
    text = "\n".join([f"| Layer | {heading} |", "|---|---|", *rows])
    made = Judge(read_text(ledger_of(text, model=model).text))
    wrong = [judgement for judgement in made.all() if judgement.wrong]
    (shared,) = made.causes.shared()
    assert words in shared.words
    assert len(shared.claims) >= len(wrong) - 1 > 0


def test_units_of_a_whole_column_are_no_error() -> None:
    nodes = [node for node in load_graph("vgg16").layers if has_weights(node)]
    rows = [
        f"{node.name},{sized(node, 'params') / 2**20:.3f},{sized(node, 'macs') / 2**30:.3f}" for node in nodes
    ]
    _, wrong = pasted("\n".join(["layer,params (M),MACs (G)", *rows]), "vgg16")
    assert wrong == []


@pytest.mark.parametrize("table", teachers.TABLES, ids=lambda table: table.name)
def test_teachers_tables_are_right_without_the_planted_errors(table: teachers.Pasted) -> None:
    assert teachers.wrong(table.text) == []


def test_errors_planted_in_teachers_tables_are_found_and_explained() -> None:
    """`python -m tests.check.teachers` prints the table of docs/claims-proof.md."""
    made = list(teachers.outcomes())
    planted = sum(len(outcome.table.plants) for outcome in made)
    found, alarms = sum(o.found for o in made), sum(len(o.alarms) for o in made)
    assert planted == found == 30
    assert alarms <= 0.02 * (found + alarms)
    assert sum(outcome.explained for outcome in made) >= 0.9 * planted
    assert teachers.rates(made) in (DOCS / "claims-proof.md").read_text(encoding="utf-8")
