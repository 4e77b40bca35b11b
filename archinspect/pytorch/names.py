"""What a network's class is called."""

from __future__ import annotations

import re

from ..graph import Graph


def class_name(graph: Graph) -> str:
    """The network's name as that of a class, in the capitals of its title: `GoogLeNet`, `ResNet50`, `MobileNetV2`."""
    words = re.findall("[A-Za-z0-9]+", graph.name)
    name = "".join(word[0].upper() + word[1:] for word in words)
    title = "".join(re.findall("[A-Za-z0-9]+", str(graph.metadata.get("title", ""))))
    for index, (letter, printed) in enumerate(zip(name, title, strict=False)):
        if letter.lower() != printed.lower():
            break
        if printed.isupper():
            name = name[:index] + printed + name[index + 1 :]
    return name if name[:1].isalpha() else f"Network{name}"
