"""The YAML layer of the spec language as a JSON Schema, for editors.

It says where mappings, lists and texts stand and what keys are called; calls inside texts are the loader's to check,
but the schema knows the names of all ops.
"""

from __future__ import annotations

from typing import Any

from ...ops import REGISTRY
from .document import JOINS, SIDE_OUTPUT
from .initializers import INITIALIZERS
from .reader import METADATA

_NAME = "[A-Za-z_][A-Za-z0-9_]*"
_LAYER = r"[A-Za-z_][A-Za-z0-9_]*(\{[^{}\s]+\}[A-Za-z0-9_]*)*"  # conv{stage}_1
_REPEAT = r"(\[[^\[\]]+\.\.[^\[\]]+\])?"
_CONDITION = r"(\s+if\s+.+)?"
_DESCRIPTIONS = {
    "title": "the network's name as people write it",
    "source": "where every figure comes from: paper, table, section",
    "year": "year of publication",
    "family": "networks that belong together",
    "task": "what the network is for, by which `list` groups",
    "ilsvrc": "the subject of specs/published whose result in ImageNet's challenge stands for the network",
    "notes": "what a reader should know: variants, what the paper leaves open",
}


def json_schema() -> dict[str, Any]:
    """A JSON Schema (draft 2020-12) of a spec file."""
    word = {"type": "string", "minLength": 1}
    metadata = {
        key: {"type": "integer" if kind is int else "string", "description": _DESCRIPTIONS[key]}
        for key, kind in METADATA.items()
    }
    keywords = "|".join((*JOINS, SIDE_OUTPUT))
    joins = f"^({keywords}){_CONDITION}$"
    named = f"^(?!({keywords})(\\s|$)){_LAYER}{_REPEAT}{_CONDITION}$"
    item_keys = {joins: {"$ref": "#/$defs/branches"}, named: {"$ref": "#/$defs/layers"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "archinspect network",
        "description": "A neural network, said once: see docs/spec-language.md",
        "type": "object",
        "required": ["name", "input", "layers"],
        "additionalProperties": False,
        "properties": {
            "name": {
                "type": ["string", "integer"],
                "description": "the network's name in commands and file names",
            },
            **metadata,
            "input": {
                "type": ["string", "integer"],
                "pattern": r"^\s*[0-9]+(\s*[x×X*,]\s*[0-9]+)*\s*$",
                "description": "input size: CxHxW, or NxCxHxW with the batch",
            },
            "arguments": {
                "type": "object",
                "description": "names that --set can change, with their defaults",
                "propertyNames": {"pattern": f"^{_NAME}$"},
                "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
            },
            "init": {
                "type": "object",
                "description": "how the weights of an op start; PyTorch's own way where nothing is said",
                "propertyNames": {"enum": sorted(REGISTRY)},
                "additionalProperties": {"type": "string", "pattern": f"^({'|'.join(INITIALIZERS)})\\b"},
            },
            "weights": {
                "type": "object",
                "description": "what other people's checkpoints call the layers: path of ours, path of theirs",
                "additionalProperties": {"type": ["string", "integer"]},
            },
            "blocks_of": {
                "type": "string",
                "description": "a network whose blocks this one uses too: one that ships, or a file beside this one",
            },
            "blocks": {
                "type": "object",
                "description": "named sequences with arguments: name(argument, argument=default)",
                "propertyNames": {"pattern": rf"^{_NAME}\s*(\(.*\))?$"},
                "additionalProperties": {"$ref": "#/$defs/layers"},
            },
            "layers": {"$ref": "#/$defs/layers", "description": "the network, from its input to its output"},
        },
        "$defs": {
            "call": {
                **word,
                "description": "layers in PyTorch's call syntax, joined by ->",
                "examples": [
                    "conv2d(64, 3, padding=1)",
                    "linear(num_classes)",
                    "conv2d(96, 11, stride=4) -> relu",
                ],
            },
            "op": {
                "description": "the ops a call can name",
                "enum": [n for n, op in REGISTRY.items() if op.arity == 1],
            },
            "named": {
                "type": "object",
                "minProperties": 1,
                "patternProperties": item_keys,
                "additionalProperties": False,
            },
            "layers": {
                "anyOf": [
                    {"$ref": "#/$defs/call"},
                    {"$ref": "#/$defs/named"},
                    {
                        "type": "array",
                        "items": {"anyOf": [{"$ref": "#/$defs/call"}, {"$ref": "#/$defs/named"}]},
                    },
                    {"type": "null"},
                ]
            },
            "branches": {
                "description": "named branches that all read the same input; an empty one passes it on",
                "anyOf": [
                    {"$ref": "#/$defs/named"},
                    {"type": "array", "items": {"$ref": "#/$defs/named"}},
                ],
            },
        },
    }
