"""Random damage to valid specs: either a network, or errors with a known code and a place.  Never anything else."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from archinspect.errors import CODES, ArchinspectError, Diagnostic
from archinspect.frontends.spec import lay_out
from archinspect.frontends.spec.load import read_text

from ..support import SPECS
from .test_hostile import HOSTILE

SEEDS = [
    (SPECS / f"{name}.yaml").read_text()
    for name in ("googlenet", "resnet50", "vgg16", "densenet121", "squeezenet1_0")
]
SEEDS += [text for text, _ in HOSTILE.values() if len(text) < 3000]

TREES = [yaml.safe_load(text) for text in SEEDS[:5]]
_TOKENS = """
( ) [ ] { } , : - -> = # ' " \n \t \0 é × → ** // % * + 0 -1 1.5 1e9 99999999999999999999 True None null ~
if else and or not lambda for in is conv2d relu linear concat: add: multiply: side_output: identity input name
layers: blocks: arguments: init: in_channels stride padding='same' groups=3 bias=False __import__('os') !!python &a *a
[1..3] [a..b] conv2_x inception(1,2) max_pool2d(9) flatten() x.y x[0] f"{x}" @x |\n >\n ---
"""
TOKENS = _TOKENS.split(" ")


def mutate(text: str, seed: int) -> str:
    """A few random edits: delete, double, move or swap lines and words; insert tokens."""
    rng = random.Random(seed)
    for _ in range(rng.randint(1, 5)):
        lines = text.split("\n")
        kind = rng.randrange(6)
        at = rng.randrange(len(lines))
        if kind == 0:
            del lines[at]
        elif kind == 1:
            lines.insert(rng.randrange(len(lines)), lines[at])
        elif kind == 2:
            lines[at] = " " * rng.randrange(8) + lines[at].lstrip()
        elif kind == 3:
            words = lines[at].split(" ")
            words[rng.randrange(len(words))] = rng.choice(TOKENS)
            lines[at] = " ".join(words)
        else:
            place = rng.randrange(len(lines[at]) + 1)
            cut = rng.choice([0, 0, 1, 3])
            lines[at] = lines[at][:place] + rng.choice(TOKENS) + lines[at][place + cut :]
        text = "\n".join(lines)
        if not text:
            return text
    return text


def check(text: str) -> None:
    """Lay the text out; any exception but ArchinspectError fails the test that called."""
    diagnostics: tuple[Diagnostic, ...] = ()
    try:
        assert lay_out(read_text(text, "net.yaml")).nodes
    except ArchinspectError as error:
        diagnostics = error.diagnostics
    for diagnostic in diagnostics:
        assert diagnostic.code in CODES
        assert diagnostic.render().startswith(f"error[{diagnostic.code}]: ")


@given(st.sampled_from(SEEDS), st.integers(0, 2**32))
def test_mutated_specs(text: str, seed: int) -> None:
    check(mutate(text, seed))


@pytest.mark.many
def test_many_mutated_specs() -> None:
    for seed in range(20_000):
        check(mutate(SEEDS[seed % len(SEEDS)], seed))


def mutate_tree(value: Any, rng: random.Random) -> Any:
    """A few random edits of the YAML's structure: values move, double, vanish or change their form."""
    nodes = list(_containers(value))
    for _ in range(rng.randint(1, 4)):
        node = rng.choice(nodes)
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            continue
        key, other = rng.choice(keys), rng.choice(nodes)
        inner = list(other.values()) if isinstance(other, dict) else other
        kind = rng.randrange(6)
        if kind == 0:
            del node[key]
        elif kind == 1:
            node[key] = copy.deepcopy(rng.choice(inner)) if inner else None
        elif kind == 2:
            node[key] = rng.choice(
                [[], {}, None, 0, -1, 1.5, True, "", "identity", [node[key]], {"x": node[key]}]
            )
        elif kind == 3 and isinstance(node, dict):
            node[
                rng.choice(["add", "concat", "side_output", "inline", "x[1..3]", "x if 1 > 2", "name", "{i}"])
            ] = node.pop(key)
        elif kind == 4 and isinstance(node, list):
            node.insert(rng.randrange(len(node) + 1), copy.deepcopy(node[key]))
        elif isinstance(node[key], str):
            words = node[key].split(" ")
            words[rng.randrange(len(words))] = rng.choice(TOKENS)
            node[key] = " ".join(words)
    return value


def _containers(value: Any) -> Iterator[Any]:
    if isinstance(value, (dict, list)):
        yield value
        for inner in list(value.values()) if isinstance(value, dict) else value:
            yield from _containers(inner)


def check_tree(seed: int) -> None:
    rng = random.Random(seed)
    tree = mutate_tree(copy.deepcopy(rng.choice(TREES)), rng)
    check(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True))


@given(st.integers(0, 2**32))
def test_mutated_structures(seed: int) -> None:
    check_tree(seed)


@pytest.mark.many
def test_many_mutated_structures() -> None:
    for seed in range(20_000):
        check_tree(seed)


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    check(text)
    check(f"name: net\ninput: 3x8x8\nlayers:\n  - a: {text}\n")
