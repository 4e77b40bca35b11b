"""Other people's weights: loaded by a rule or by structure, with the same logits; refused where it is a guess."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from archinspect.errors import ArchinspectError, Diagnostic
from archinspect.frontends.spec import dump, lay_out, load_graph
from archinspect.frontends.spec.load import read_text
from archinspect.graph import Graph
from archinspect.pytorch import build
from archinspect.pytorch.weights.names import pair
from tests.spec.support import graph_of, refused

from .programs import outputs, random_state
from .reference import VGG, AlexNet, BasicBlock, Bottleneck, GoogLeNet, ResNet

#: network, its arguments, the reference, how many outputs it has
REFERENCES: dict[str, tuple[str, dict[str, Any], Callable[[], nn.Module]]] = {
    "alexnet": ("alexnet_torchvision", {}, AlexNet),
    "vgg16": ("vgg16", {}, VGG),
    "vgg16_bn": ("vgg16", {"batch_norm": True}, lambda: VGG(batch_norm=True)),
    "googlenet": ("googlenet_torchvision", {}, GoogLeNet),
    "googlenet with heads": ("googlenet_torchvision", {"aux": True}, GoogLeNet),
    "resnet18": ("resnet18", {}, lambda: ResNet(BasicBlock, (2, 2, 2, 2))),
    "resnet34": ("resnet34", {}, lambda: ResNet(BasicBlock, (3, 4, 6, 3))),
    "resnet50": ("resnet50", {}, lambda: ResNet(Bottleneck, (3, 4, 6, 3))),
    "resnet101": ("resnet101", {}, lambda: ResNet(Bottleneck, (3, 4, 23, 3))),
}
#: those that take any input size are tried with a small one, and all of them with the published one where time allows
ANY_SIZE = ("googlenet", "googlenet with heads", "resnet18", "resnet50")


def trained(make: Callable[[], nn.Module]) -> nn.Module:
    """A reference whose activations neither vanish nor explode, with statistics other than those it starts with."""
    torch.manual_seed(3)
    module = make()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 1.0)
            nn.init.normal_(part.bias, std=0.1)
            nn.init.normal_(part.running_mean, std=0.1)
            nn.init.uniform_(part.running_var, 0.5, 1.5)
        elif isinstance(part, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
    return module.eval()


@pytest.mark.parametrize("case", ANY_SIZE)
def test_a_reference_and_our_module_with_its_weights_have_the_same_logits(case: str, tmp_path: Path) -> None:
    same_logits(case, 96, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("case", REFERENCES)
def test_they_have_the_same_logits_for_the_published_input(case: str, tmp_path: Path) -> None:
    same_logits(case, 224, tmp_path)


def same_logits(case: str, size: int, folder: Path) -> None:
    name, arguments, make = REFERENCES[case]
    reference = trained(make)
    file = folder / "weights.pth"
    torch.save(reference.state_dict(), file)
    module = build(load_graph(name, arguments=arguments), weights=file)
    x = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(4))
    found = outputs(module, x)
    for ours, theirs in zip(found, outputs(reference, x), strict=False):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5 * theirs.abs().max().item())
    assert len(found) == (3 if arguments.get("aux") else 1)
    assert found[0].std() > 1e-3


def test_every_resnet_has_the_rule_of_its_blocks() -> None:
    for name in ("resnet152", "resnext50_32x4d", "wide_resnet50_2"):
        graph = load_graph(name)
        module = build(graph, device="meta")
        ours = {key: tuple(value.shape) for key, value in module.state_dict().items()}
        paired = pair(
            ours, {_torchvision(key): shape for key, shape in ours.items()}, graph.metadata["weights"]
        )
        assert paired == {key: _torchvision(key) for key in ours}


def _torchvision(key: str) -> str:
    """torchvision's name of a ResNet's tensor, found without our rules."""
    if key.startswith(("conv1.", "fc.")):
        return key.replace("conv1.conv.", "conv1.").replace("conv1.bn.", "bn1.")
    stage, block, branch, *rest = key.split(".")
    start = f"layer{int(stage[4]) - 1}.{int(block[5:]) - 1}"
    if branch == "shortcut":
        return ".".join([start, "downsample", "01"[rest[0] == "bn"], *rest[1:]])
    kind = "conv" if rest[1] == "conv" else "bn"
    return ".".join([start, f"{kind}{rest[0][4:]}", *rest[2:]])


# Files


def small() -> Graph:
    return graph_of(
        "name: n\ninput: 3x8x8\nlayers:\n  - conv1: conv2d(4, 3)\n  - bn1: batch_norm2d()\n"
        "  - conv2: conv2d(6, 3)\n  - flatten: flatten()\n  - fc: linear(5)"
    )


@pytest.fixture
def state() -> dict[str, Tensor]:
    return random_state(build(small()))


def loaded(graph: Graph, weights: Any) -> dict[str, Tensor]:
    return build(graph, weights=weights).state_dict()


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("wrap", ["", "state_dict", "model", "model_state_dict", "DataParallel"])
def test_a_checkpoint_of_our_own_and_the_forms_that_checkpoints_have(
    state: dict[str, Tensor], wrap: str, tmp_path: Path
) -> None:
    content: Any = OrderedDict(state)
    if wrap == "DataParallel":
        content = {f"module.{name}": tensor for name, tensor in state.items()}
    elif wrap:
        content = {"epoch": 3, wrap: content}
    torch.save(content, tmp_path / "w.pth")
    assert equal(loaded(small(), tmp_path / "w.pth"), state)
    assert equal(loaded(small(), os.fspath(tmp_path / "w.pth")), state)


def test_safetensors_and_a_state_dict_in_memory(state: dict[str, Tensor], tmp_path: Path) -> None:
    save_file(state, tmp_path / "w.safetensors")
    assert equal(loaded(small(), tmp_path / "w.safetensors"), state)
    assert equal(loaded(small(), state), state)


def test_half_precision_is_read_and_old_checkpoints_have_no_counters(state: dict[str, Tensor]) -> None:
    half = {name: tensor.half() for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    found = loaded(small(), half)
    assert found["conv1.weight"].dtype == torch.float32
    assert torch.equal(found["conv1.weight"], state["conv1.weight"].half().float())
    assert found["bn1.num_batches_tracked"].item() == 0


def test_no_code_of_a_file_is_run(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> Any:
            return os.mkdir, (os.fspath(tmp_path / "ran"),)

    torch.save({"conv1.weight": Harmful()}, tmp_path / "w.pth")
    assert problem(small(), tmp_path / "w.pth").code == "A501"
    assert not (tmp_path / "ran").exists()


def problem(graph: Graph, weights: Any) -> Diagnostic:
    with pytest.raises(ArchinspectError) as caught:
        build(graph, weights=weights)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04rubbish", b"\x80\x02}q\x00."])
@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_a_file_that_holds_no_weights(content: bytes, ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"w{ending}"
    file.write_bytes(content)
    assert problem(small(), file).code == "A501"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"<!doctype html>\n<title>404", "it begins with '<!doctype html>'"),
        (b"PK\x03\x04rubbish", "it is an archive that is damaged or cut short"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "it is a pointer of Git LFS"),
        (b"\x80\x02}q\x00.", "it is damaged or of another kind"),
    ],
)
def test_why_a_file_holds_no_weights_is_said_in_our_words(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "w.pth"
    file.write_bytes(content)
    (note,) = problem(small(), file).notes
    assert note.startswith(reason)


def test_a_pickled_module_is_named_as_what_it_holds(tmp_path: Path) -> None:
    torch.save(build(small()), tmp_path / "w.pth")
    found = problem(small(), tmp_path / "w.pth")
    assert "reduce_graph_module" in found.notes[0]
    assert "state_dict" in found.help


@pytest.mark.parametrize("kind", ["meta", "sparse", "complex"])
def test_tensors_that_are_no_weights(kind: str, state: dict[str, Tensor], tmp_path: Path) -> None:
    weight = state["fc.weight"]
    odd = {"meta": weight.to("meta"), "sparse": weight.to_sparse(), "complex": weight.to(torch.complex64)}[
        kind
    ]
    found = problem(small(), {**state, "fc.weight": odd})
    assert found.code == "A501"
    assert "'fc.weight' is a tensor that is" in found.message


@pytest.mark.parametrize("content", [[1, 2], {}, {"a": 1}, {1: torch.zeros(2)}, torch.zeros(3)])
def test_a_file_that_holds_something_else(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pth")
    assert problem(small(), tmp_path / "w.pth").code == "A501"


def test_a_file_that_is_not_there_and_one_that_is_a_folder(tmp_path: Path) -> None:
    assert problem(small(), tmp_path / "none.pth").code == "A501"
    assert problem(small(), tmp_path).code == "A501"


# Refusals


def test_weights_of_another_width_name_the_layers(state: dict[str, Tensor]) -> None:
    found = problem(small(), {**state, "fc.weight": torch.zeros(7, 96), "fc.bias": torch.zeros(7)})
    assert found.code == "A502"
    assert "fc.weight (5, 96) ≠ fc.weight (7, 96)" in found.notes


def test_missing_and_surplus_weights_are_named(state: dict[str, Tensor]) -> None:
    del state["conv2.bias"]
    found = problem(small(), {**state, "head.weight": torch.zeros(2)})
    assert found.code == "A502"
    assert found.notes == ("missing: conv2.bias", "not ours: head.weight")


def test_weights_of_another_network_say_which_shapes_are_not_there() -> None:
    found = problem(small(), nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5)).state_dict())
    assert found.code == "A502"
    assert any("conv1" in note for note in found.notes)


TWINS = "name: n\ninput: 4x8x8\n{weights}layers:\n  - left: conv2d(4, 3, padding=1)\n  - right: conv2d(4, 3, padding=1)"


class Twins(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.b = nn.Conv2d(4, 4, 3)
        self.a = nn.Conv2d(4, 4, 3)


def test_equal_shapes_are_a_guess_and_refused_until_a_rule_says() -> None:
    theirs = Twins().state_dict()
    found = problem(graph_of(TWINS.format(weights="")), theirs)
    assert found.code == "A503"
    assert "ours: left, right" in found.notes
    graph = graph_of(TWINS.format(weights="weights: {left: a, right: b}\n"))
    state = loaded(graph, theirs)
    assert torch.equal(state["left.weight"], theirs["a.weight"])
    assert torch.equal(state["right.bias"], theirs["b.bias"])


def test_numbers_in_names_pair_equal_shapes_whatever_the_order_of_the_file() -> None:
    graph = graph_of("name: n\ninput: 4x8x8\nlayers:\n  - conv[1..12]: conv2d(4, 3, padding=1)")
    theirs = nn.Sequential(*(nn.Conv2d(4, 4, 3, padding=1) for _ in range(12))).state_dict()
    shuffled = dict(sorted(theirs.items()))  # 0, 1, 10, 11, 2 ...
    state = loaded(graph, shuffled)
    for number in range(12):
        assert torch.equal(state[f"conv{number + 1}.weight"], theirs[f"{number}.weight"])


def test_a_refusal_leaves_nothing_half_loaded(state: dict[str, Tensor]) -> None:
    from archinspect.pytorch.weights import load_weights

    module = build(small())
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(ArchinspectError):
        load_weights(module, small(), {name: t for name, t in state.items() if "conv2" not in name})
    assert equal(module.state_dict(), before)


def test_weights_on_meta_are_checked_and_not_allocated(state: dict[str, Tensor]) -> None:
    module = build(small(), device="meta", weights=state)
    assert all(tensor.is_meta for tensor in module.state_dict().values())


# The rule in the spec


def test_rules_survive_dump_and_load() -> None:
    graph = load_graph("resnet50")
    again = lay_out(read_text(dump(graph), "again.yaml"))
    assert [(r.ours, r.theirs) for r in again.metadata["weights"]] == [
        (r.ours, r.theirs) for r in graph.metadata["weights"]
    ]


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("fc: layer{n}", "A208"),
        ("fc{n}: layer{n - }", "A201"),
        ("fc{n}: layer{open('x')}", "A213"),
        ("fc{1}: a", "A209"),
        ("fc: a b", "A201"),
        ("fc: [a]", "A107"),
    ],
)
def test_a_rule_that_cannot_be_read_is_an_error_with_its_place(rule: str, code: str) -> None:
    (found, *_) = refused(f"name: n\ninput: 3\nweights:\n  {rule}\nlayers:\n  - fc: linear(3)")
    assert (found.code, found.span.line if found.span else None) == (code, 4)


def test_weights_must_be_a_mapping() -> None:
    (found,) = refused("name: n\ninput: 3\nweights: torchvision\nlayers:\n  - fc: linear(3)")
    assert (found.code, found.span.line if found.span else None) == ("A107", 3)
