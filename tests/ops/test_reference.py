"""The generated page and the counting rules speak of every op, and of nothing else."""

from __future__ import annotations

import re

import pytest

from archinspect.ops import REGISTRY
from archinspect.ops.reference import document, figures, pytorch, signature

from ..support import DOCS, run_python


def test_the_page_of_ops_is_current() -> None:
    assert (DOCS / "ops.md").read_text(encoding="utf-8") == document(), (
        "run: python -m archinspect.ops.reference > docs/ops.md"
    )


def test_the_page_is_written_by_the_command_it_names() -> None:
    made = run_python("-m", "archinspect.ops.reference")
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout == document()


def test_links_of_the_page_lead_somewhere() -> None:
    text = document()
    anchors = {heading.lower() for heading in re.findall(r"^### (\w+)$", text, re.MULTILINE)}
    assert set(re.findall(r"\]\(#(\w+)\)", text)) == anchors == set(REGISTRY)
    for page in re.findall(r"\]\((\S+\.md)\)", text):
        assert (DOCS / page).exists()


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_the_counting_rules_name_every_op(name: str) -> None:
    text = (DOCS / "counting.md").read_text(encoding="utf-8")
    assert re.search(rf"`{name}[`(]", text)


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_counting_rules_and_ops_agree_on_what_is_free(name: str) -> None:
    (free,) = re.findall(
        r"^These cost nothing: (.*?)\.\n\n", (DOCS / "counting.md").read_text("utf-8"), re.M | re.S
    )
    op = REGISTRY[name]
    flops = set()
    for attributes, inputs in op.samples:
        made = op.of(**attributes)
        cost = made.cost(inputs, made.shape(inputs))
        assert cost is not None
        flops.add(cost.flops)
    assert (0 in flops) == (f"`{name}`" in free)


def test_an_entry_says_what_the_op_says() -> None:
    conv = REGISTRY["conv2d"]
    assert signature(conv).startswith("conv2d(out_channels, kernel_size, stride=1, padding=0")
    attributes, inputs = conv.samples[0]
    made = dict(figures(conv, attributes, inputs))
    # Krizhevsky et al. 2012: 96 kernels of size 11×11×3 with a stride of 4 on 227 columns give 55
    assert made["params"] == "(11×11×3×96) + 96 = 34,944"
    assert made["output shape"].endswith("= (1, 96, 55, 55)")
    assert pytorch(conv.of(96, 11, 4).torch_call(inputs)) == "nn.Conv2d(3, 96, 11, stride=4)"
    assert pytorch(REGISTRY["add"].of().torch_call(inputs)) == "torch.add(x, y)"


@pytest.mark.parametrize(
    "first", ["", "REGISTRY['lstm']; ", "REGISTRY['transpose']; REGISTRY['embedding']; "]
)
def test_ops_have_one_order_whichever_file_was_read_first(first: str) -> None:
    """Tests that run in several processes take their parameters from it."""
    done = run_python("-c", f"from archinspect.ops import REGISTRY; {first}print(*REGISTRY, len(REGISTRY))")
    assert done.stdout.split() == [*REGISTRY, str(len(REGISTRY))], done.stderr
