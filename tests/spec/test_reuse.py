"""Blocks that are copied are what laying them out anew gives; names that PyTorch needs are refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from archinspect.frontends.spec import read_document, shipped
from archinspect.frontends.spec.document import Document
from archinspect.frontends.spec.expand import Expander
from archinspect.frontends.spec.load import Prepared, read_text
from archinspect.frontends.spec.names import is_reserved
from archinspect.graph import Graph

from ..strategies_networks import specs
from ..support import run_python


class Anew(Expander):
    """Lays out every use of a block anew."""

    def _block(self, *args: Any) -> Any:
        self._reuse._known.clear()
        return super()._block(*args)


def both(document: Document, **arguments: Any) -> tuple[Graph, Graph]:
    return Prepared(document).expand(arguments), Prepared(document, Anew).expand(arguments)


@pytest.mark.parametrize("name", shipped())
def test_copied_blocks_of_shipped_networks(name: str) -> None:
    document = read_document(name)
    copied, anew = both(document)
    assert copied == anew
    assert [str(node.span) for node in copied.nodes] == [str(node.span) for node in anew.nodes]
    if "aux" in document.arguments:
        assert len(set(map(str, both(document, aux=True)))) == 1


@given(specs())
def test_copied_blocks_of_random_networks(text: str) -> None:
    copied, anew = both(read_text(text, "net.yaml"))
    assert copied == anew


def test_names_that_a_module_needs_are_reserved() -> None:
    # A process of its own: some tools that other tests import give `nn.Module` methods of theirs.
    done = run_python("-c", "import torch; print(*dir(torch.fx.symbolic_trace(torch.nn.Identity())))")
    assert done.returncode == 0, done.stderr
    assert [name for name in done.stdout.split() if not is_reserved(name)] == []
    assert not any(map(is_reserved, ["conv", "bn", "x", "weight", "bias", "relu", "_1x1", "torch"]))
