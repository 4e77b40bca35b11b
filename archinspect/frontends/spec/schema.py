"""The YAML layer of the spec language as a JSON Schema, for editors.

It says where mappings, lists and texts stand and what keys are called; calls inside texts are the loader's to check,
but the schema knows the names of all ops.
"""

from __future__ import annotations

from typing import Any

from ...initializers import EVERYWHERE, INITIALIZERS
from ...ops import REGISTRY
from .document import JOINS, LET, SIDE_OUTPUT
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
    value = {"type": ["string", "number", "boolean", "null"]}
    sizes = r"([Nn]\s*[x×X*,]\s*)?[0-9]+(\s*[x×X*,]\s*[0-9]+)*"
    size = {"type": ["string", "integer"], "pattern": rf"^\s*{sizes}(\s*[x×X*,]\s*[a-z]+[0-9]*)?\s*$"}
    metadata = {
        key: {"type": "integer" if kind is int else "string", "description": _DESCRIPTIONS[key]}
        for key, kind in METADATA.items()
    }
    keywords = "|".join((*JOINS, SIDE_OUTPUT))
    joins = f"^({keywords}){_CONDITION}$"
    named = f"^(?!({keywords}|{LET})(\\s|$)){_LAYER}{_REPEAT}{_CONDITION}$"
    item_keys = {
        joins: {"$ref": "#/$defs/branches"},
        f"^{LET}$": {"$ref": "#/$defs/names"},
        named: {"$ref": "#/$defs/layers"},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "archinspect network",
        "description": "A neural network, said once: see docs/spec-language.md",
        "type": "object",
        "required": ["name", "layers"],
        "anyOf": [{"required": ["input"]}, {"required": ["inputs"]}],
        "additionalProperties": False,
        "properties": {
            "name": {
                "type": ["string", "integer"],
                "description": "the network's name in commands and file names",
            },
            **metadata,
            "input": {
                **size,
                "description": "input size: CxHxW, or NxCxHxW with the batch; 128xint64 for integers",
            },
            "inputs": {
                "type": "object",
                "minProperties": 1,
                "description": "several inputs: a name and a size each",
                "propertyNames": {"pattern": f"^{_NAME}$"},
                "additionalProperties": size,
            },
            "outputs": {
                "description": "layers that are outputs, where these are not the end alone: a list, or names",
                "anyOf": [
                    {"type": "array", "items": word, "minItems": 1},
                    {"type": "object", "additionalProperties": word, "minProperties": 1},
                ],
            },
            "arguments": {
                "type": "object",
                "description": "names that --set can change, with their defaults",
                "propertyNames": {"pattern": f"^{_NAME}$"},
                "additionalProperties": {"anyOf": [value, {"type": "array", "items": value}]},
            },
            "init": {
                "type": "object",
                "description": "how weights start, the later rule counting; PyTorch's own way where none is",
                "properties": {"source": {**word, "description": "where the rules come from"}},
                "propertyNames": {
                    "anyOf": [
                        {"enum": ["source", *EVERYWHERE, *sorted(REGISTRY)]},
                        {"pattern": r"^([A-Za-z0-9_.]|\{[A-Za-z_]\w*\})+$"},
                    ]
                },
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
                "enum": list(REGISTRY),
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
            "names": {
                "type": "object",
                "minProperties": 1,
                "description": "names that are known from here on, and their values",
                "additionalProperties": {"anyOf": [value, {"type": "array"}]},
            },
            "branches": {
                "description": "named branches that all read the same input, an empty one passes it on; or values",
                "anyOf": [
                    {"$ref": "#/$defs/named"},
                    {"type": "array", "items": word, "minItems": 2},
                    {"type": "array", "items": {"$ref": "#/$defs/named"}},
                ],
            },
        },
    }
