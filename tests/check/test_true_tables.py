"""Tables that tell the truth about every layer of a network: none of their numbers may be called wrong.

They are given as ledgers, and as we and other tools print them.
"""

from __future__ import annotations

import pytest

from archinspect.analysis import analyse
from archinspect.check.align import ledger_of
from archinspect.check.judge import judge
from archinspect.check.reading import read_text
from archinspect.frontends.spec import load_graph, shipped
from tests.support import one_in, run_cli

FEW = (
    "alexnet_grouped",
    "densenet121",
    "googlenet",
    "mobilenet_v1",
    "siamese",
    "squeezenet1_0",
    "vit_b_16",
    "zfnet",
)
HEAD = """source: a table that tells the truth
model: {name}
sections:
  - section: "1"
    title: Layers
    items:
      - table: layers
        columns: {{Layer: layer, Output: output_shape, From: formula, Params: params, MACs: macs}}
        rows:
"""


def true_table(name: str) -> str:
    """A claims file with shape, derivation, parameters and MACs of every layer, and their totals."""
    analysis = analyse(load_graph(name))
    rows = []
    for row in analysis.rows:
        shape = "×".join(map(str, (*row.output_shape[2:], row.output_shape[1])))
        shape = shape if len(row.output_shape) == 4 else "-"
        formula = row.derivations.get("params") if row.params else None
        cells = (row.name, shape, formula or "-", f"{row.params:,}", f"{row.macs:,}")
        rows.append(f"          - {row.name}: {' | '.join(cells)}")
    totals = analysis.totals
    rows.append(
        f'          - {{row: "Total | - | - | {totals.params:,} | {totals.macs:,}", layer: ., sum: layers}}'
    )
    return HEAD.format(name=name) + "\n".join(rows) + "\n"


def hold(name: str) -> None:
    judgements = judge(read_text(true_table(name)))
    assert len(judgements) > 2 * len(load_graph(name).layers)
    assert [(j.claim.id, j.claim.stated.text, j.word, j.cause) for j in judgements if j.wrong] == []


@pytest.mark.parametrize("name", FEW)
def test_true_tables_raise_no_alarm(name: str) -> None:
    hold(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in shipped() if name not in FEW])
def test_true_tables_of_all_networks_raise_no_alarm(name: str) -> None:
    hold(name)


FORMS = {
    "table": ("summary",),
    "markdown": ("summary", "--format", "markdown"),
    "latex": ("summary", "--format", "latex"),
    "html": ("summary", "--format", "html"),
    "csv": ("summary", "--format", "csv"),
    "tsv": ("summary", "--format", "tsv"),
    "grid": ("summary", "--format", "grid"),
    "units": ("summary", "--units", "auto"),
    "shares": ("summary", "--share"),
    "folded": ("summary", "--depth", "1"),
    "keras": ("summary", "--style", "keras"),
    "keras in Markdown": ("summary", "--style", "keras", "--format", "markdown"),
    "params": ("params",),
    "shapes": ("shapes",),
    "flops": ("flops",),
}


def read_back(name: str, form: str) -> None:
    """What a command prints of a network is aligned whole, and judged right."""
    command, *options = FORMS[form]
    done = run_cli(command, name, *options)
    hold_printed(done.stdout, name)


def hold_printed(text: str, name: str, *beside: str) -> None:
    aligned = ledger_of(text, model=name)
    judgements = judge(read_text(aligned.text))
    assert judgements
    assert [(j.claim.layers, j.claim.stated.text, j.word, j.cause) for j in judgements if j.wrong] == []
    assert [line for line in aligned.left_out if not line.startswith(beside)] == []


@pytest.mark.parametrize("form", FORMS)
def test_what_we_print_is_read_back_without_alarm(form: str) -> None:
    read_back("lenet5", form)


@pytest.mark.parametrize("form", ["folded", "keras"])
def test_scopes_and_running_statistics_are_read_back_without_alarm(form: str) -> None:
    read_back("resnet18", form)


#: what the tables of a few networks have that those of most do not: the form, a cell, and one that is wrong there
PECULIAR = {
    "a transposed convolution": ("dcgan_generator", "table", "  conv_transpose2d", "  conv2d          "),
    "the states of a recurrent layer": ("lstm_classifier", "table", "41.00 KiB", "43.00 KiB"),
    "the bound of a receptive field": ("unet", "shapes", "≤ 140", "≤ 139"),
    "two rows above longer notes": ("dcgan", "folded", "3,576,704", "3,576,714"),
}


@pytest.mark.parametrize(("name", "form", "right", "wrong"), PECULIAR.values(), ids=PECULIAR)
def test_what_few_networks_have_is_read_back(name: str, form: str, right: str, wrong: str) -> None:
    command, *options = FORMS[form]
    printed = run_cli(command, name, *options).stdout
    hold_printed(printed, name)
    assert right in printed
    judgements = judge(read_text(ledger_of(printed.replace(right, wrong), model=name).text))
    assert {wrong.strip()} == {j.claim.stated.text for j in judgements if j.wrong}


def test_a_share_counts_shared_weights_where_they_are_used_first_or_wherever_they_are_used() -> None:
    printed = run_cli("summary", "siamese", "--share", "--format", "csv").stdout
    hold_printed(printed, "siamese")
    (row,) = (line for line in printed.splitlines() if line.startswith("twin.conv2.conv2d,"))
    table = f"{printed.splitlines()[0]}\n{row}\n"

    def wrong(share: str) -> list[str]:
        text = table.replace(",0,0.0,", f",401536,{share},")
        assert text != table
        return [
            j.claim.stated.text for j in judge(read_text(ledger_of(text, model="siamese").text)) if j.wrong
        ]

    assert wrong("1.0") == []
    assert wrong("0.0") == []
    assert wrong("2.0") == ["2.0"]


def test_what_keras_does_not_train_may_be_a_table_of_indices() -> None:
    """Swin's windows keep where their biases stand; two blocks suffice for a rule of counting."""
    rows = [
        line
        for line in run_cli("summary", "swin_t", "--style", "keras").stdout.splitlines()
        if line.startswith(("Layer (type)", "stage1.block"))
    ]
    text = "\n".join((rows[0], "─" * 80, *rows[1:])) + "\n"
    assert "40,156" in text
    hold_printed(text, "swin_t")


@pytest.mark.slow
@pytest.mark.parametrize("name", one_in(3, shipped()))
def test_every_network_is_read_back_without_alarm(name: str) -> None:
    """Each network in some of the forms, so that each form meets some of the networks."""
    for form in list(FORMS)[shipped().index(name) % 5 :: 5]:
        read_back(name, form)


#: lines that torchinfo prints beside the table, and that are no quantities of ours
TORCHINFO_ONLY = ("Input size", "Estimated Total Size")
TORCHINFO = """
==========================================================================================
Layer (type:depth-idx)                   Output Shape              Param #
==========================================================================================
LeNet5                                   [1, 10]                   --
├─Conv2d: 1-1                            [1, 6, 28, 28]            156
├─Tanh: 1-2                              [1, 6, 28, 28]            --
├─Module: 1-3                            --                        --
│    └─AvgPool2d: 2-1                    [1, 6, 14, 14]            --
├─Conv2d: 1-4                            [1, 16, 10, 10]           2,416
├─Tanh: 1-5                              [1, 16, 10, 10]           --
├─Module: 1-6                            --                        --
│    └─AvgPool2d: 2-2                    [1, 16, 5, 5]             --
├─Conv2d: 1-7                            [1, 120, 1, 1]            48,120
├─Tanh: 1-8                              [1, 120, 1, 1]            --
├─Flatten: 1-9                           [1, 120]                  --
├─Linear: 1-10                           [1, 84]                   10,164
├─Tanh: 1-11                             [1, 84]                   --
├─Linear: 1-12                           [1, 10]                   850
==========================================================================================
Total params: 61,706
Trainable params: 61,706
Non-trainable params: 0
Total mult-adds (Units.MEGABYTES): 0.42
==========================================================================================
Input size (MB): 0.00
Forward/backward pass size (MB): 0.05
Params size (MB): 0.25
Estimated Total Size (MB): 0.30
==========================================================================================
"""


def test_torchinfos_tree_is_read_without_alarm() -> None:
    hold_printed(TORCHINFO, "lenet5", *TORCHINFO_ONLY)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18", "vgg11", "densenet121"])
def test_torchinfos_columns_are_read_without_alarm(name: str) -> None:
    """The mult-adds are torchinfo's, which counts BatchNorm otherwise: the whole column says so."""
    torchinfo = pytest.importorskip("torchinfo")
    from archinspect.pytorch import build

    graph = load_graph(name)
    columns = ("input_size", "output_size", "num_params", "params_percent", "kernel_size", "mult_adds")
    for settings in ({"col_names": columns, "depth": 9}, {"row_settings": ("var_names", "depth")}):
        printed = torchinfo.summary(build(graph), graph.input_shape, verbose=0, device="cpu", **settings)
        hold_printed(str(printed), name, *TORCHINFO_ONLY)
