"""What must hold for every network and every file, each as a function that hypothesis draws examples for.

A check raises where something does not hold; hypothesis then makes the example as small as it can.
"""

from __future__ import annotations

import io
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import yaml
from hypothesis import strategies as st

import archinspect
from archinspect.analysis import analyse
from archinspect.analysis.compare import compare
from archinspect.analysis.receptive_field import sights
from archinspect.cli import app
from archinspect.errors import ArchinspectError
from archinspect.frontends.spec import dump
from archinspect.frontends.spec.reuse import Reuse
from archinspect.graph import Graph
from archinspect.latency import devices, predict, saved
from archinspect.latency.ceilings import precision
from archinspect.pytorch import build
from archinspect.pytorch.checked import checked_source
from archinspect.pytorch.weights.read import read_state
from archinspect.sweep.variants import Evaluator
from tests.latency.test_saved import DOCUMENT
from tests.strategies_networks import graph_of, other_specs, specs
from tests.support import SPECS, clean_environment

Draw = st.DrawFn


@dataclass(frozen=True)
class Check:
    """A property: its name, what draws an example of it, and what demands that it holds of one.

    `weight`: how often it is tried beside the others; `examples` how many at a time.
    """

    name: str
    examples_of: st.SearchStrategy[Any]
    holds: Callable[[Any], None]
    weight: int = 3
    examples: int = 8


# Networks: three roads to the same figures.


def counts_of_the_real_module(text: str) -> None:
    """The closed form and the built module: parameters, buffers, the shape of every layer's output."""
    graph = graph_of(text)
    totals = analyse(graph).totals
    module = build(graph, device="meta").eval()
    outputs = module(*inputs_of(graph, "meta"))
    assert totals.params == sum(parameter.numel() for parameter in module.parameters())
    assert totals.buffers == sum(tensor.numel() for tensor in module.buffers())
    found = outputs if isinstance(outputs, tuple) else (outputs,)
    assert [tuple(one.shape) for one in found] == [graph.nodes[index].output_shape for index in graph.outputs]
    named = {name: tuple(parameter.shape) for name, parameter in module.named_parameters()}
    ours = {f"{node.name}.{name}": shape for node in graph.layers for name, shape in node.weights.items()}
    assert named.items() <= ours.items()  # what is shared has its name once


def counts_of_the_captured_module(text: str) -> None:
    """The closed form, and the capture of the module that was built from it."""
    graph = graph_of(text)
    module = build(graph).eval()
    captured = archinspect.load(module, *inputs_of(graph)).graph
    ours, theirs = analyse(graph).totals, analyse(captured).totals
    assert theirs.params == ours.params
    assert theirs.buffers >= ours.buffers
    assert theirs.macs == ours.macs
    assert captured.output_shape == graph.output_shape


def written_and_read_again(text: str) -> None:
    graph = graph_of(text)
    assert graph_of(dump(graph)) == graph
    source, unchecked = checked_source(graph)
    assert source
    assert not unchecked


def figures_agree_with_one_another(text: str) -> None:
    """Sums at every depth, twice the batch, a network beside itself, the sweep's own way of counting."""
    graph = graph_of(text)
    analysis = analyse(graph)
    totals = analysis.totals
    assert sum(row.params for row in analysis.rows) == totals.params
    assert sum(row.macs or 0 for row in analysis.rows) == totals.macs
    for depth in (1, 2):
        folded = analysis.fold(depth)
        assert sum(row.params for row in folded.rows) == totals.params
        assert sum(row.flops or 0 for row in folded.rows) == sum(row.flops or 0 for row in analysis.rows)
    assert totals.flops >= 2 * totals.macs
    assert totals.peak_activation_bytes > 0
    assert not compare(graph, graph).differences
    double = archinspect.from_text(text, input=(2 * graph.input_shape[0], *graph.input_shape[1:])).graph
    twice = analyse(double).totals
    assert twice.params == totals.params
    assert twice.macs == 2 * totals.macs
    assert twice.flops == 2 * totals.flops
    with folder():
        Path("net.yaml").write_text(text)
        figures = Evaluator("net.yaml").figures({})
    assert (figures.params, figures.macs, figures.flops) == (totals.params, totals.macs, totals.flops)
    assert figures.activation_bytes == totals.activation_bytes


def derivations_are_their_figures(text: str) -> None:
    from archinspect.formula import evaluate

    for row in analyse(graph_of(text)).rows:
        for key, value in (("params", row.params), ("macs", row.macs), ("flops", row.flops)):
            if value is not None:
                assert evaluate(row.derivations[key]) == value, (row.name, key)


def fields_are_not_understated(text: str) -> None:
    """Gradients of a middle element of each layer's map, as far as no layer before it sees the whole map."""
    graph = graph_of(text)
    mixing = ("group_norm", "layer_norm", "local_response_norm", "layer_norm2d")
    if any(node.op.type in mixing for node in graph.nodes):
        return
    module = build(graph).double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(0.1)
    maps: dict[str, torch.Tensor] = {}
    for name, layer in module.named_modules():
        layer.register_forward_hook(lambda _, __, output, name=name: maps.__setitem__(name, output))
    x = torch.rand(graph.input_shape, dtype=torch.float64, requires_grad=True)
    module(x)
    fields = sights(graph)
    for index, node in enumerate(graph.nodes):
        output = maps.get(node.name)
        field = fields[index][0]
        if output is None or field is None or len(node.output_shape) != 4 or not output.requires_grad:
            continue
        middle = tuple(size // 2 for size in output.shape)
        (gradient,) = torch.autograd.grad(output[middle], x, allow_unused=True, retain_graph=True)
        if gradient is None:
            continue
        sides = field if isinstance(field, tuple) else (field, field)
        for side, others in zip(sides, ((0, 1, 3), (0, 1, 2)), strict=True):
            along = gradient.abs().sum(others).nonzero().flatten().tolist()
            assert not along or along[-1] - along[0] + 1 <= side, node.name


def reuse_changes_nothing(text: str) -> None:
    """A block's second use is copied from its first; laid out anew it is the same."""
    with mock.patch.object(Reuse, "find", return_value=None):
        anew = graph_of(text)
    assert graph_of(text) == anew


def titles_end_no_line(example: tuple[str, str, list[str]]) -> None:
    """Letters that move a cursor or end a string: refused, or written so that they do nothing."""
    title, command, options = example
    document = {"name": "net", "title": title, "input": "3x8x8", "layers": [{"a": "conv2d(4, 3)"}, "relu"]}
    with folder():
        text = yaml.safe_dump(document, allow_unicode=True)
        Path("net.yaml").write_text(text, encoding="utf-8", newline="")
        status, out, err = in_process([command, "net.yaml", *options])
        assert (status == 2) == ("error[" in err), err
        made = [path for path in Path().iterdir() if path.suffix not in (".yaml", ".pdf")]
        for text in (out, err, *(path.read_text(encoding="utf-8") for path in made)):
            assert not commanding(text), repr(text)
        if command == "export" and status == 0:
            compile(out or made[0].read_text(encoding="utf-8"), "net.py", "exec")


def predictions_are_finite(text: str) -> None:
    graph = graph_of(text)
    found = predict.predict(graph, devices.device("a100"), None, precision("fp16"))
    assert len(found.layers) == len(graph.layers)
    assert all(math.isfinite(value) and value >= 0 for value in _numbers(found.to_dict()))


def _numbers(value: Any) -> Iterator[float]:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    for item in inside:
        yield from _numbers(item)
    if isinstance(value, (int, float)):
        yield value


# Commands, in this process.

OPTIONS: dict[str, list[list[str]]] = {
    "params": [
        [],
        ["--explain"],
        ["--depth", "1"],
        ["--format", "json"],
        ["--format", "latex"],
        ["-o", "x.csv"],
    ],
    "shapes": [[], ["--format", "markdown"], ["--depth", "2"]],
    "flops": [[], ["--format", "html"], ["--convention", "thop"], ["--convention", "fvcore"]],
    "summary": [[], ["--style", "keras"], ["--format", "json"], ["-o", "x.html"]],
    "compare": [["net.yaml"], ["net.yaml", "--format", "json"], ["vgg11"]],
    "diagram": [
        ["-o", "x.svg"],
        ["-o", "x.dot"],
        ["-o", "x.html"],
        ["--overview", "-o", "x.svg"],
        ["-o", "x.pdf"],
    ],
    "export": [[], ["-o", "x.py"]],
    "bottleneck": [[], ["--format", "json"]],
    "latency": [["--predict", "a100,h100"], ["--predict", "h100", "--format", "json"]],
    "sweep": [["--input", "3x8x8,3x16x16"]],
}


def every_command_answers(example: tuple[str, str, list[str]]) -> None:
    """Exit code 0, 1 or 2, no traceback, and JSON that is JSON."""
    text, command, options = example
    with folder():
        Path("net.yaml").write_text(text)
        status, out, err = in_process([command, "net.yaml", *options])
        assert status in (0, 1, 2)
        assert (status == 2) == ("error[" in err), err
        assert "Traceback" not in err
        if status == 0 and "json" in options:
            json.loads(out)
        assert not [name for name in os.listdir() if name.startswith(".")]


commands = st.sampled_from([(name, options) for name, several in OPTIONS.items() for options in several])


# Damaged files.

SEEDS: dict[str, bytes] = {}


def seed_files() -> dict[str, bytes]:
    """Sound files of every kind, which are then damaged."""
    if not SEEDS:
        SEEDS["net.yaml"] = (SPECS / "resnet18.yaml").read_bytes()
        SEEDS["claims.yaml"] = next(iter(sorted((SPECS / "lecture").glob("*.yaml")))).read_bytes()
        SEEDS["run.json"] = json.dumps(DOCUMENT).encode()
        SEEDS["devices.toml"] = (
            b'[mine]\ntitle = "Mine"\npeak = {fp32 = 10.0, fp16 = 20}\nbandwidth = 500.0\nmatch = ["mine"]\n'
        )
        state = {"conv.weight": torch.zeros(4, 3, 3, 3), "conv.bias": torch.zeros(4)}
        for name, old in (("w.pth", False), ("old.pth", True)):
            file = io.BytesIO()
            torch.save(state, file, _use_new_zipfile_serialization=not old)
            SEEDS[name] = file.getvalue()
        with suppress(ImportError):
            from safetensors.torch import save

            SEEDS["w.safetensors"] = save(state)
    return SEEDS


@st.composite
def damaged(draw: Draw, names: tuple[str, ...]) -> tuple[str, bytes]:
    """A file with bytes changed, cut, doubled, or with parts of it put elsewhere."""
    name = draw(st.sampled_from([name for name in names if name in seed_files()]))
    content = bytearray(seed_files()[name])
    if name.endswith((".json", ".toml")) and draw(st.booleans()):
        return name, draw(with_another_value(bytes(content)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        kind = draw(st.sampled_from(["byte", "cut", "drop", "insert", "double", "digits", "nest"]))
        if kind == "byte":
            content[at : at + 1] = bytes([draw(st.integers(0, 255))])
        elif kind == "cut":
            del content[at:]
        elif kind == "drop":
            del content[at : at + draw(st.integers(1, 40))]
        elif kind == "double":
            content[at:at] = content[at : at + 200]
        else:
            pieces = {"insert": [b"\0", b"\xff", b": ", b"- ", b'"', b"{", b"[", b"\n", b"  ", b"*a", b"!!x"]}
            pieces["insert"] += [b"\x1b[2J", b"\xc2\x9b31m"]
            pieces |= {
                "digits": [b"9" * 5000, b"-1", b"1e999", b"0"],
                "nest": [b"[" * 3000, b"{" * 300, b"(" * 300],
            }
            content[at:at] = draw(st.sampled_from(pieces[kind]))
    return name, bytes(content)


@st.composite
def with_another_value(draw: Draw, content: bytes) -> bytes:
    """A file that can be read, with one of its values replaced by another, of another type perhaps."""
    places = list(re.finditer(rb'(?<=[=:,\[ ])\s?("[^"]*"|-?[0-9.]+|null|true|false)', content))
    place = draw(st.sampled_from(places))
    new = draw(st.sampled_from([b"null", b"-1", b"0", b"1e999", b'"x"', b"[]", b"{}", b"true", b"9" * 400]))
    return content[: place.start(1)] + new + content[place.end(1) :]


READ_BY: dict[str, list[str]] = {
    "net.yaml": ["params", "net.yaml", "--format", "json"],
    "claims.yaml": ["check", "--claims", "claims.yaml"],
    "devices.toml": ["latency", "lenet5", "--predict", "mine", "--devices", "devices.toml"],
    "w.pth": ["params", "w.pth", "--format", "json"],
    "old.pth": ["params", "old.pth", "--format", "json"],
    "w.safetensors": ["params", "w.safetensors", "--format", "json"],
}


def damage_is_an_error(example: tuple[str, bytes]) -> None:
    """A damaged file is read or refused by every command that takes it, and by the library."""
    name, content = example
    with folder():
        Path(name).write_bytes(content)
        if name in READ_BY:
            status, out, err = in_process(READ_BY[name])
            assert status in (0, 1, 2)
            assert (status == 2) == ("error[" in err), err
            assert not commanding(out + err), (out, err)
            if status == 0 and READ_BY[name][0] == "params":
                found = json.loads(out)
                assert all(row["params"] >= 0 for row in (*found["rows"], found["totals"]))
        with suppress(ArchinspectError):
            if name == "run.json":
                for measurement in saved.read(name).measurements:
                    measurement.to_dict()
            elif name.endswith((".pth", ".safetensors")):
                read_state(name)


# Processes: interrupts, others that write the same file, odd surroundings.


def interrupts_leave_nothing_behind(after: float) -> None:
    with folder():
        command = [sys.executable, "-m", "archinspect", "sweep", "vgg11", "--set", "num_classes=1:4000:1"]
        with subprocess.Popen(
            [*command, "--jobs", "1", "-o", "x.csv"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=clean_environment(),
        ) as process:  # fmt: skip
            time.sleep(after)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=120)
        # Before our own first line runs, while Python imports, Python itself answers with a traceback.
        ours = "Traceback" not in err or re.search(r'__main__\.py", line \d+, in main', err) is not None
        assert not ours or process.returncode in (0, 130, -signal.SIGINT), err
        assert not ours or "Traceback" not in err, err
        assert set(os.listdir()) <= {"x.csv"}


def writers_do_not_mix(count: int) -> None:
    script = "import sys; from archinspect.files import write; [write(sys.argv[1] * 100000, 'x') for _ in range(20)]"
    with folder():
        several = [
            subprocess.Popen([sys.executable, "-c", script, letter], env=clean_environment())
            for letter in "abcd"[:count]
        ]
        while any(process.poll() is None for process in several):
            with suppress(FileNotFoundError):
                content = Path("x").read_text()
                assert len(content) == 100_000
                assert len(set(content)) == 1
        assert os.listdir() == ["x"]


SURROUNDINGS: list[dict[str, str]] = [
    {"PYTHONWARNINGS": "error"},
    {"LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
    {"COLUMNS": "1"},
    {"COLUMNS": "x", "LINES": "-1"},
    {"HOME": "/nonexistent", "TMPDIR": "/tmp"},
    {"FORCE_COLOR": "1", "NO_COLOR": "1"},
    {"PYTHONOPTIMIZE": "1"},
    {"PYTHONUTF8": "0", "LC_ALL": "POSIX"},
    {"TERM": "dumb", "CLICOLOR_FORCE": "1"},
]


def surroundings_change_no_answer(example: tuple[dict[str, str], str]) -> None:
    environment, command = example
    found = subprocess.run(
        [sys.executable, "-m", "archinspect", command, "lenet5", "--format", "json"],
        capture_output=True, env=clean_environment(environment), check=False, timeout=120,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["totals"]["params"] == 61_706


# What they need.


def inputs_of(graph: Graph, device: str = "cpu") -> list[torch.Tensor]:
    """A tensor of zeros for each input of a network: of whole numbers where it reads these."""
    return [
        torch.zeros(value.shape, dtype=getattr(torch, value.dtype), device=device)
        for node in graph.nodes[: graph.inputs]
        for value in node.values
    ]


def commanding(text: str) -> set[str]:
    """The letters of a text that a terminal would obey instead of showing them."""
    return {letter for letter in text if ord(letter) < 32 or 127 <= ord(letter) < 160} - {"\n"}


@contextmanager
def folder() -> Iterator[None]:
    """An empty folder to work in."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as path:
        os.chdir(path)
        try:
            yield
        finally:
            os.chdir(before)


def in_process(words: list[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command line."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    with redirect_stdout(out), redirect_stderr(err):
        status = app.run(words)
        out.flush()
        err.flush()
    return status, out.buffer.getvalue().decode(), err.buffer.getvalue().decode()  # type: ignore[attr-defined]


TEXTS = specs(max_layers=12)
OTHERS = other_specs()
TITLES = st.text(st.sampled_from("aé =+@\"'\\<&{}$%_#\n\x00\x1b\x07\x9b\u202e]"), max_size=12)
CHECKS = [
    Check("counts of the real module", TEXTS, counts_of_the_real_module, 4),
    Check("counts of the captured module", TEXTS, counts_of_the_captured_module, 2, 4),
    Check("other kinds: counts of the real module", OTHERS, counts_of_the_real_module, 3),
    Check("other kinds: counts of the captured module", OTHERS, counts_of_the_captured_module, 2, 4),
    Check("other kinds: written and read again", OTHERS, written_and_read_again, 2, 6),
    Check("other kinds: derivations", OTHERS, derivations_are_their_figures, 2),
    Check("other kinds: predictions", OTHERS, predictions_are_finite, 1),
    Check("written and read again", TEXTS, written_and_read_again, 3, 6),
    Check("figures agree", TEXTS, figures_agree_with_one_another, 4),
    Check("derivations", TEXTS, derivations_are_their_figures),
    Check("receptive fields", TEXTS, fields_are_not_understated),
    Check("blocks used again", TEXTS, reuse_changes_nothing, 2),
    Check("predictions", TEXTS, predictions_are_finite, 1),
    Check(
        "commands", st.tuples(TEXTS, commands).map(lambda pair: (pair[0], *pair[1])), every_command_answers, 4
    ),
    Check(
        "commands on other kinds",
        st.tuples(OTHERS, commands).map(lambda pair: (pair[0], *pair[1])),
        every_command_answers,
        3,
    ),
    Check(
        "titles",
        st.tuples(TITLES, commands).map(lambda pair: (pair[0], *pair[1])),
        titles_end_no_line,
    ),
    Check("damaged specs", damaged(("net.yaml",)), damage_is_an_error),
    Check("damaged claims", damaged(("claims.yaml",)), damage_is_an_error, 1, 3),
    Check("damaged runs", damaged(("run.json",)), damage_is_an_error, 2, 20),
    Check("damaged devices", damaged(("devices.toml",)), damage_is_an_error, 2, 12),
    Check("damaged weights", damaged(("w.pth", "old.pth", "w.safetensors")), damage_is_an_error, 3, 20),
    Check("interrupts", st.floats(0.05, 3.0), interrupts_leave_nothing_behind, 1, 1),
    Check("concurrent writers", st.integers(2, 3), writers_do_not_mix, 1, 1),
    Check(
        "surroundings",
        st.tuples(st.sampled_from(SURROUNDINGS), st.sampled_from(["params", "summary"])),
        surroundings_change_no_answer,
        1,
        2,
    ),
]


def ordered(seed: int) -> Iterator[tuple[Check, int]]:
    """Checks without end, each with a seed of its own: first every one once, then by weight."""
    chance = random.Random(seed)
    for check in chance.sample(CHECKS, len(CHECKS)):
        yield check, chance.getrandbits(32)
    while True:
        (check,) = chance.choices(CHECKS, [check.weight for check in CHECKS])
        yield check, chance.getrandbits(32)
