"""What a network's class is called."""

from __future__ import annotations

import re

from ..graph import Graph


def class_name(graph: Graph) -> str:
    """The network's name as that of a class, in the capitals of its title: `GoogLeNet`, `ResNet50`, `InceptionV4`."""
    name = _letters(graph.name)
    title = _letters(str(graph.metadata.get("title", "")))
    if title.lower().startswith(name.lower()):
        name = title[: len(name)]
    elif not title or name.islower():
        name = "".join(word[0].upper() + word[1:] for word in re.findall("[A-Za-z0-9]+", graph.name))
    return name if name[:1].isalpha() else f"Network{name}"


def _letters(text: str) -> str:
    return "".join(re.findall("[A-Za-z0-9]+", text))
