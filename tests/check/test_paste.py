"""Tables as people paste them: read, aligned with the network, judged, and written as a ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from archinspect.analysis import analyse
from archinspect.check.align import ledger_of
from archinspect.check.judge import judge
from archinspect.check.reading import read_text
from archinspect.check.verdicts import Judgement
from archinspect.frontends.spec import load_graph
from tests.support import run_cli

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
