"""Sorting, filtering, columns, units and widths: the same options, with the same meaning, for every table of layers."""

from __future__ import annotations

import json
import re
from collections import defaultdict

import pytest

from archinspect.cli.registry import COMMANDS
from archinspect.errors import ArchinspectError
from archinspect.report import Column, Report, Table, render
from archinspect.report.formats import FORMATS
from archinspect.report.style import Style
from archinspect.report.views import View, viewed
from tests.cli.reference import SEVERAL, shared_options
from tests.support import run_cli

#: commands whose tables list layers, claims or differences
VIEWED = ("params", "shapes", "flops", "summary", "check", "compare", "latency")
VIEWS = ("--sort", "--top", "--only", "--columns", "--units", "--share", "--width")


def table() -> Table:
    columns = (
        Column("name", "Layer", "name"),
        Column("op", "Type"),
        Column("output_shape", "Output shape", "shape"),
        Column("params", "Params", "int"),
        Column("macs", "MACs", "int"),
        Column("activation_bytes", "Activations", "bytes"),
    )
    rows = (
        ("stem.conv", "conv2d", (1, 8, 4, 4), 216, 3456, 512),
        ("stem.relu", "relu", (1, 8, 4, 4), 0, 0, 512),
        ("body.conv1", "conv2d", (1, 16, 4, 4), 1168, 18432, 1024),
        ("body.odd", "custom", (1, 16, 4, 4), 0, None, 1024),
        ("fc", "linear", (1, 10), 2570, 2560, 40),
    )
    return Table(columns, rows, ("Total", "", "", 3954, 24448, 3112), "net", listed="rows", more=("buffers",))


def names(view: View) -> list[str]:
    return [str(row[0]) for row in viewed(Report((table(),)), view).tables[0].rows]


@pytest.mark.parametrize(
    ("view", "rows"),
    [
        (View(sort="params"), ["fc", "body.conv1", "stem.conv", "stem.relu", "body.odd"]),
        (View(sort="Params:asc"), ["stem.relu", "body.odd", "stem.conv", "body.conv1", "fc"]),
        (View(sort="macs", top=2), ["body.conv1", "stem.conv"]),
        (View(sort="macs"), ["body.conv1", "stem.conv", "fc", "stem.relu", "body.odd"]),  # unknown comes last
        (View(sort="name"), ["body.conv1", "body.odd", "fc", "stem.conv", "stem.relu"]),
        (View(sort="output_shape", top=1), ["body.conv1"]),
        (View(only=("body",)), ["body.conv1", "body.odd"]),
        (View(only=("*.conv*",)), ["stem.conv", "body.conv1"]),
        (View(only=("op:conv*", "fc")), ["stem.conv", "body.conv1", "fc"]),
        (View(only=("weighted",)), ["stem.conv", "body.conv1", "fc"]),
        (View(top=1), ["stem.conv"]),
    ],
)
def test_rows_are_chosen_and_ordered(view: View, rows: list[str]) -> None:
    assert names(view) == rows


def test_the_total_stays_whole_and_a_note_says_so() -> None:
    shown = viewed(Report((table(),)), View(sort="params", top=2)).tables[0]
    assert shown.total == table().total
    assert shown.notes[0] == "Shown: 2 of 5 rows by params.  Totals are of all rows."


def test_columns_stand_beside_the_name_and_shares_are_of_the_total() -> None:
    shown = viewed(Report((table(),)), View(columns=("macs", "params_share"))).tables[0]
    assert [column.key for column in shown.columns] == ["name", "macs", "params_share"]
    assert shown.rows[-1] == ("fc", 2560, 100 * 2570 / 3954)
    assert sum(float(row[2]) for row in shown.rows) == pytest.approx(100)  # type: ignore[arg-type]
    every = viewed(Report((table(),)), View(share=True)).tables[0]
    keys = [column.key for column in every.columns if column.key.endswith("_share")]
    assert keys == ["params_share", "macs_share", "activation_bytes_share"]


def test_units_are_exact_or_have_prefixes() -> None:
    exact = render(viewed(Report((table(),)), View(units="exact")))
    assert "Activations, B" in exact
    assert re.search(r"1,024$", exact, re.M)
    auto = render(viewed(Report((table(),)), View(units="auto")))
    assert "18.43 k" in auto


@pytest.mark.parametrize(
    ("view", "says"),
    [
        (View(sort="parms"), "did you mean 'params'?"),
        (View(sort="params:down"), "params:asc"),
        (View(columns=("what",)), "columns: name, op"),
        (View(only=("conv9",)), "op:conv2d"),
        (View(only=("stem.convx",)), "did you mean 'stem.conv'?"),
        (View(only=("kind:conv",)), "there is no column 'kind'"),
    ],
)
def test_what_a_table_has_not_is_refused(view: View, says: str) -> None:
    with pytest.raises(ArchinspectError) as raised:
        viewed(Report((table(),)), view)
    assert says in raised.value.render()


def test_json_has_the_same_rows_in_the_same_order() -> None:
    words = ("--sort", "macs", "--top", "3", "--share")
    document = json.loads(run_cli("summary", "alexnet", *words, "--format", "json").stdout)
    whole = json.loads(run_cli("summary", "alexnet", "--format", "json").stdout)
    largest = sorted(whole["rows"], key=lambda row: -row["macs"])[:3]
    assert [row["name"] for row in document["rows"]] == [row["name"] for row in largest]
    assert document["totals"] == whole["totals"]
    assert document["view"] == {"rows": 3, "of": len(whole["rows"]), "totals": "of all rows"}
    first = document["rows"][0]
    assert first["macs_share"] == pytest.approx(100 * first["macs"] / whole["totals"]["macs"])


@pytest.mark.slow
def test_differences_claims_and_predictions_are_viewed_too() -> None:
    found = json.loads(run_cli("compare", "alexnet", "vgg16", "--only", "fc6", "--format", "json").stdout)
    assert [one["path_b"] for one in found["differences"]] == ["fc6"]
    assert found["unexplained"] == 0
    found = json.loads(
        run_cli("latency", "alexnet", "--predict", "h100", "--only", "op*,fc*", "--format", "json").stdout
    )
    assert [row["name"] for row in found["predictions"][0]["layers"]] == ["fc6", "fc7", "fc8"]
    done = run_cli("check", "--only", "wrong,quantity:params", "--top", "2", "--format", "json")
    assert done.returncode == 1
    assert [claim["quantity"] for claim in json.loads(done.stdout)["claims"]] == ["params", "params"]


def test_batch_and_dtype_change_what_follows_from_them() -> None:
    one = json.loads(run_cli("summary", "alexnet", "--format", "json").stdout)
    many = json.loads(
        run_cli("summary", "alexnet", "--batch", "8", "--dtype", "fp16", "--format", "json").stdout
    )
    assert many["input"][0] == 8
    assert many["totals"]["macs"] == 8 * one["totals"]["macs"]
    assert many["totals"]["params"] == one["totals"]["params"]
    assert 2 * many["totals"]["weight_bytes"] == one["totals"]["weight_bytes"]
    assert many["totals"]["activation_bytes"] == 4 * one["totals"]["activation_bytes"]
    assert "not go together" not in run_cli("summary", "alexnet", "--dtype", "bf16").stderr


@pytest.mark.parametrize("name", VIEWED)
def test_every_table_of_layers_takes_every_option_of_a_view(name: str) -> None:
    options = {option for option, uses in shared_options().items() if name in uses}
    assert set(VIEWS) <= options


def test_an_option_means_the_same_in_every_command() -> None:
    """One help text for an option, or those that the table in docs/cli.md explains."""
    meanings: dict[str, set[str]] = defaultdict(set)
    for option, uses in shared_options().items():
        for use in uses.values():
            meanings[option].add(use)
    assert {option for option, texts in meanings.items() if len(texts) > 1} <= set(SEVERAL)
    assert set(SEVERAL) <= set(meanings), "explained, and no command has it"
    assert len(COMMANDS) > 10


WIDE = (
    ("compare", "vgg16", "resnet50", "alexnet"),
    ("list",),
    ("bottleneck", "googlenet"),
    ("latency", "--predict", "h100,a100,t4", "resnet50", "vgg16"),
    ("summary", "resnet50", "--explain"),
)


@pytest.mark.parametrize("words", WIDE, ids=lambda words: words[0])
def test_no_table_is_wider_than_asked(words: tuple[str, ...]) -> None:
    done = run_cli(*words, "--width", "60")
    assert max(map(len, done.stdout.splitlines())) <= 60
    if words[0] != "list":  # of a long table columns are left out, of a short one none is
        assert "1,135,256,096" in done.stdout or words[0] != "compare"


def test_a_wide_table_of_few_rows_stands_in_parts() -> None:
    columns = (Column("what", "What"), *(Column(f"n{i}", f"Number {i}", "int") for i in range(6)))
    made = Table(columns, (("one", *range(10**8, 10**8 + 6)),), ("Total", *range(10**8, 10**8 + 6)))
    text = render(made, "table", Style(width=40))
    assert max(map(len, text.splitlines())) <= 40
    assert all(f"100,000,00{i}" in text for i in range(6))
    assert text.count("What") == text.count("Total") == 3


TABULATED = [name for name, (module, _) in FORMATS.items() if module == "tabulated"]


@pytest.mark.parametrize("name", TABULATED)
def test_formats_of_tabulate_hold_every_cell(name: str) -> None:
    text = render(Report((table(),)), name)
    for cell in ("body.conv1", "18,432", "1×16×4×4", "unknown", "Total"):
        assert cell in text


def test_a_tree_sums_scopes() -> None:
    lines = render(Report((table(),)), "tree").splitlines()
    [stem] = [line for line in lines if line.startswith("├─ stem")]
    assert stem.split()[2:4] == ["216", "3,456"]
    [body] = [line for line in lines if line.startswith("├─ body")]
    assert "≥ 18,432" in body
    assert any(line.startswith("└─ fc") for line in lines)
    plain = render(Report((table(),)), "tree", Style(unicode=False))
    assert plain.isascii()


def test_tab_separated_values_need_no_quotes() -> None:
    odd = Table((Column("name", "Layer", "name"), Column("n", "N", "int")), (("a\tb\nc, d", 1),))
    assert render(odd, "tsv") == "name\tn\na b c, d\t1\n"
