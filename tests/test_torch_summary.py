"""`archinspect.torch.summary`: torchinfo's arguments and form, our figures."""

from __future__ import annotations

import doctest
import inspect

import pytest
import torch
import torchinfo
from torch import nn

import archinspect.torch
from archinspect import ArchinspectError
from archinspect.torch import summary


class Net(nn.Module):
    """A block that is called twice, a function, a parameter of the module's own, and a layer that nothing calls."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Linear(8, 10)
        self.unused = nn.Linear(2, 3)
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x))
        x = x + self.block(x)
        x = self.block(x) * self.scale
        out: torch.Tensor = self.head(x.mean((2, 3)))
        return out


SIZE = (1, 3, 16, 16)


def test_the_arguments_are_torchinfos_in_its_order() -> None:
    assert list(inspect.signature(summary).parameters) == list(
        inspect.signature(torchinfo.summary).parameters
    )


@pytest.mark.parametrize("columns", [None, tuple(archinspect.torch._TITLES)])
def test_rows_and_columns_stand_where_torchinfo_has_them(columns: tuple[str, ...] | None) -> None:
    ours = summary(Net(), SIZE, col_names=columns, verbose=0)
    theirs = torchinfo.summary(Net(), SIZE, col_names=columns, verbose=0)
    lines, expected = str(ours).splitlines(), str(theirs).splitlines()
    names = [line[:40].strip() for line in lines]
    for line in expected[
        : expected.index(next(line for line in expected if line.startswith("Total params")))
    ]:
        assert line[:40].strip() in names
    assert lines[0] == expected[0]
    assert lines[1] == expected[1]
    for name in ("total_params", "trainable_params", "input_size"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.total_input == 3 * 16 * 16 * 4  # torchinfo adds the size of Python's own object
    assert "Total params: 924" in lines


def test_shapes_and_parameters_of_a_layer_are_torchinfos() -> None:
    ours = {layer.path: layer for layer in summary(Net(), SIZE, verbose=0).summary_list}
    for layer in torchinfo.summary(Net(), SIZE, verbose=0).summary_list:
        if layer.is_recursive or not layer.is_leaf_layer:
            continue
        name = {"0": "block.0", "1": "block.1", "2": "block.2"}.get(layer.var_name, layer.var_name)
        assert ours[name].output_size == layer.output_size
        assert ours[name].num_params == max(layer.num_params, 0)
        assert ours[name].kernel_size == (layer.kernel_size or [])
    assert ours["block#2"].is_recursive
    assert not ours["unused"].is_called


def test_mult_adds_are_exact_and_attention_counts() -> None:
    assert summary(Net(), SIZE, verbose=0).total_mult_adds == 256 * (27 * 8 + 2 * 72 * 8) + 80
    attention = summary(nn.MultiheadAttention(16, 2), input_data=[torch.zeros(5, 1, 16)] * 3, verbose=0)
    assert attention.total_mult_adds == 5 * 16 * 16 * 4 + 2 * 5 * 5 * 16
    assert "MultiheadAttention" in str(attention)


def test_without_an_input_the_parameters_are_listed() -> None:
    ours, theirs = summary(Net(), verbose=0), torchinfo.summary(Net(), verbose=0)
    assert str(ours) == str(theirs)
    with pytest.raises(ArchinspectError, match="needs an input"):
        summary(Net(), col_names=["output_size"], verbose=0)


def test_inputs_are_taken_in_every_form() -> None:
    class Two(nn.Module):
        def forward(self, ids: torch.Tensor, mask: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
            return ids.float() * mask * scale

    expected = [(2, 4), (2, 4)]
    one = summary(Two(), [(2, 4), (2, 4)], dtypes=[torch.long, torch.float32], verbose=0)
    data = torch.ones(2, 4, dtype=torch.long), torch.ones(2, 4)
    two = summary(Two(), input_data=list(data), verbose=0, scale=2.0)
    three = summary(Two(), input_data={"ids": data[0], "mask": data[1].numpy()}, verbose=0)
    four = summary(Two(), [(4,), (4,)], batch_dim=0, verbose=0)
    assert one.input_size == two.input_size == three.input_size == expected
    assert four.input_size == [(1, 4), (1, 4)]


def test_it_prints_unless_told_not_to(capsys: pytest.CaptureFixture[str]) -> None:
    quiet = summary(Net(), SIZE, verbose=0)
    assert capsys.readouterr().out == ""
    summary(Net(), SIZE)
    assert capsys.readouterr().out == f"{quiet}\n" == f"{quiet!r}\n"
    summary(Net(), SIZE, verbose=2, depth=1, row_settings=["ascii_only", "var_names"])
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert "weight" in printed
    assert "Conv2d (0)" not in printed


@pytest.mark.parametrize(
    "wrong",
    [
        {"col_names": ["macs"]},
        {"row_settings": ["deep"]},
        {"mode": "train"},
        {"input_data": torch.ones(SIZE)},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_is_not_there_is_our_error(wrong: dict[str, object]) -> None:
    with pytest.raises(ArchinspectError) as caught:
        summary(Net(), SIZE, verbose=0, **wrong)  # type: ignore[arg-type]
    assert caught.value.diagnostics[0].code == "A403"


def test_the_module_is_left_as_it_was() -> None:
    net = Net().train()
    net.block[1].eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    summary(net, SIZE, verbose=0)
    assert net.training
    assert not net.block[1].training
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in before.items())


def test_examples_of_docstrings_are_true() -> None:
    found = doctest.testmod(archinspect.torch)
    assert found.attempted
    assert not found.failed


def test_the_module_is_there_after_a_plain_import() -> None:
    assert archinspect.__getattr__("torch") is archinspect.torch


def test_an_error_of_forward_names_the_layer_and_the_way_to_a_part() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(5, 4))
    with pytest.raises(ArchinspectError) as caught:
        summary(net, (1, 4))
    [found] = caught.value.diagnostics
    assert found.code == "A601"
    assert "partial=True" in found.help
    assert "--" not in found.help
