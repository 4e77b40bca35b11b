"""How long pictures take and how large they are, beside torchview: `python -m tests.diagram.benchmark`.

torchview draws the same ResNet-50 where it is installed (it is no dependency of ours), laid out by graphviz-pure.
Times are the best of some rounds, beyond the start of Python and imports; ours from the spec's text to the file's.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from archinspect.diagram import draw
from archinspect.frontends.spec import lay_out, load_graph
from archinspect.frontends.spec.load import read_text
from archinspect.graph import Graph

ROUNDS = 5


def chain_of_blocks(layers: int) -> Graph:
    """A network of about so many layers in residual blocks of different widths, so that nothing folds."""
    blocks = layers // 5
    lines = ["name: chain", "input: 8x16x16", "layers:"]
    for i in range(blocks):
        body = f"conv2d({8 + i % 7}, 3, padding=1) -> relu -> conv2d(8, 3, padding=1)"
        lines.append(f"  - block{i}: [{{add: {{body: '{body}', skip: null}}}}, relu]")
    return lay_out(read_text("\n".join(lines), "chain.yaml"))


def best(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the fastest round, and what it made."""
    times, made = [], None
    for _ in range(ROUNDS):
        start = time.perf_counter()
        made = work()
        times.append(time.perf_counter() - start)
    return min(times), made


def torchview_picture(format: str) -> bytes | None:
    """torchview's picture of ResNet-50 as SVG or PNG, or None where it is not installed."""
    try:
        import graphviz
        import torchview
    except ImportError:
        return None
    from graphviz.backend import dot_command

    from archinspect.diagram.engines import find
    from tests.benchmarks.peers import resnet50

    dot_command.DOT_BINARY = find("graphviz-pure")
    picture = torchview.draw_graph(resnet50(), input_size=(1, 3, 224, 224), device="meta").visual_graph
    return graphviz.pipe("dot", format, picture.source.encode(), quiet=True)


def size(svg: str) -> tuple[float, float]:
    """Width and height in px of an SVG (Graphviz writes pt)."""
    found = re.search(r'<svg[^>]*?width="([\d.]+)(pt)?"\s+height="([\d.]+)', svg, re.S)
    assert found
    scale = 4 / 3 if found[2] else 1
    return float(found[1]) * scale, float(found[3]) * scale


def rows() -> list[tuple[str, float, str]]:
    """What was drawn, seconds, and the picture."""
    names = ("resnet50", "googlenet", "densenet121")
    found = [
        (f"archinspect, {name}", *best(lambda name=name: draw(load_graph(name)).svg())) for name in names
    ]
    large = chain_of_blocks(1000)
    found.append((f"archinspect, {len(large.layers):,} layers", *best(lambda: draw(large, fold=False).svg())))
    seconds, theirs = best(lambda: torchview_picture("svg"))
    if theirs is not None:
        found.append(("torchview, resnet50", seconds, theirs.decode()))
    return found


def main() -> None:
    print("| picture | time | size | smallest text at 1600×1000 |\n| --- | ---: | ---: | ---: |")
    for what, seconds, svg in rows():
        width, height = size(svg)
        smallest = min(float(s) for s in re.findall(r'font-size="([\d.]+)"', svg))
        smallest *= 4 / 3 if 'pt"' in svg[:600] else 1
        text = smallest * min(1600 / width, 1000 / height)
        print(f"| {what} | {seconds:.2f} s | {width:,.0f}×{height:,.0f} px | {text:.1f} px |")


if __name__ == "__main__":
    main()
