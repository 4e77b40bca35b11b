"""Every op of the registry against the real torch module: a new op is tested without writing a test.

For an op's own samples and for random attributes: output shape, weights and buffers are those of the module on the
meta device; MACs are half of what torch's FlopCounterMode counts; the op refuses what torch refuses; every derivation
evaluates to its figure; and the op reads back as the language writes it.
"""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archinspect.errors import CODES, OpError
from archinspect.formula import evaluate
from archinspect.frontends.spec.calls import Call
from archinspect.frontends.spec.chains import parse_chain
from archinspect.ops import REGISTRY, Op, Shapes, numel
from archinspect.ops.activation import Softmax

from .real import real, run_on_meta, state
from .strategies import STRATEGIES

#: ops that every network's start reads; those of files that are read when needed are tried less often
USUAL = frozenset(REGISTRY.read)
OPS = sorted(REGISTRY)
SAMPLES = [
    pytest.param(REGISTRY[name], attributes, inputs, id=f"{name}-{number}")
    for name in OPS
    for number, (attributes, inputs) in enumerate(REGISTRY[name].samples)
]


#: what FlopCounterMode has no rule for
UNCOUNTED = {"bilinear"}


def conforms(op: Op, inputs: Shapes) -> None:
    output = op.shape(inputs)
    module = real(op, inputs)
    shapes, counted = run_on_meta(module, inputs, integers=op.reads_integers)
    weights, buffers = state(module)
    assert (output, *op.outputs(inputs)) == shapes
    assert op.weights(inputs) == weights
    assert list(op.weights(inputs)) == list(weights), "the order of a state_dict"
    assert op.buffers(inputs) == buffers
    cost = op.cost(inputs, output)
    assert cost is not None
    assert op.type in UNCOUNTED or 2 * cost.macs == counted
    derives(op, inputs)


def derives(op: Op, inputs: Shapes) -> None:
    """Evaluating each derivation gives the figure beside it."""
    output = op.shape(inputs)
    cost = op.cost(inputs, output)
    assert cost is not None
    params = sum(map(numel, op.weights(inputs).values()))
    assert evaluate(op.derive_shape(inputs, output)) == output
    assert evaluate(op.derive_params(inputs)) == params
    assert evaluate(op.derive_macs(inputs, output)) == cost.macs
    assert evaluate(op.derive_flops(inputs, output)) == cost.flops


def reads_back(op: Op) -> None:
    """`str(op)` is a call of the language that makes the same op."""
    (call,) = parse_chain(str(op))
    assert isinstance(call, Call)
    assert call.name == op.type
    values = {argument.name: argument.value.evaluate({}) for argument in call.arguments if argument.name}
    positional = [argument.value.evaluate({}) for argument in call.arguments if not argument.name]
    assert type(op).of(*positional, **values) == op


@pytest.mark.parametrize(("kind", "attributes", "inputs"), SAMPLES)
def test_samples_conform(kind: type[Op], attributes: dict[str, Any], inputs: Shapes) -> None:
    op = kind.of(**attributes)
    conforms(op, inputs)
    reads_back(op)


@pytest.mark.parametrize("name", OPS)
def test_random_attributes_conform(name: str) -> None:
    # Fewer of what most networks do without.
    @settings(max_examples=30 if name in USUAL else 6, suppress_health_check=[HealthCheck.too_slow])
    @given(STRATEGIES[name])
    def check(case: tuple[dict[str, Any], Shapes]) -> None:
        attributes, inputs = case
        try:
            op = REGISTRY[name].of(**attributes)
            op.shape(inputs)
        except OpError:
            refused_by_torch_too(name, attributes, inputs)
            return
        conforms(op, inputs)
        reads_back(op)

    check()


#: what we refuse and torch takes, with the reason
STRICTER = {
    ("add", "A304"): "torch would repeat the images of a batch of one",
    ("multiply", "A304"): "torch would repeat the images of a batch of one",
    ("batch_norm2d", "A207"): "scale is not PyTorch's",
    **{(f"conv_transpose{n}d", "A302"): "torch would give an empty tensor" for n in (1, 2, 3)},
    ("slice_channels", "A305"): "torch would give an empty tensor",
    ("slice", "A305"): "torch would give an empty tensor, or take a stop before a start for a length",
    **{(name, "A207"): "the batch stays" for name in ("mean", "sum", "amax", "slice", "transpose")},
    ("position_embedding", "A305"): "a table that is too short is cut, and the error is another layer's",
    ("chunk", "A305"): "torch would make a last part that is smaller",
    ("center_crop", "A302"): "torch would count from the other end",
    ("reshape", "A305"): "-1 is what is left over",
    ("select", "A301"): "a single number is no tensor of a network",
    ("swiglu", "A305"): "torch would repeat a half of one",
    ("hardtanh", "A207"): "torch's functions do not check their bounds",
    ("embedding", "A207"): "torch checks on construction only",
}
STRICTER |= {
    ("reshape", "A207"): "a size of 0",
    **{(f"zero_pad{n}d", "A302"): "torch would give an empty tensor" for n in (1, 2, 3)},
}


def refused_by_torch_too(name: str, attributes: dict[str, Any], inputs: Shapes) -> None:
    """What the closed form refuses, torch cannot run either."""
    kind = REGISTRY[name]
    try:
        op = kind.of(**attributes)
    except OpError as error:
        if (name, error.code) in STRICTER:
            return
        op = object.__new__(kind)  # the refused op, without the check
        values = {a.name: a.kind.parse(attributes.get(a.name, a.default)) for a in kind.attributes}
        op.__dict__.update(values)
    else:
        with pytest.raises(OpError) as caught:
            op.shape(inputs)
        assert caught.value.code in CODES
        if (name, caught.value.code) in STRICTER:
            return
    dtype = torch.int64 if op.reads_integers else torch.float32
    values = [torch.zeros(shape, dtype=dtype) for shape in inputs]
    with pytest.raises((RuntimeError, ValueError, IndexError, AssertionError, ZeroDivisionError)):
        real(op, inputs, "cpu")(*values)  # the meta device checks less


def test_every_op_has_random_cases() -> None:
    assert sorted(STRATEGIES) == OPS


@pytest.mark.parametrize("name", OPS)
def test_every_op_is_documented(name: str) -> None:
    op = REGISTRY[name]
    doc = op.__doc__ or ""
    assert len(doc.strip().splitlines()[0]) > 10
    assert "ource" in doc or "PyTorch" in doc, "name the source"
    assert op.samples
    for attribute in op.attributes:
        assert attribute.doc
        assert attribute.kind.schema


#: where PyTorch's default is no good one: None, guessed from the number of dimensions, and deprecated
OWN_DEFAULTS = {
    *((name, "dim") for name in ("softmax", "log_softmax", "softmin")),
    *((name, "batch_first") for name in ("rnn", "lstm", "gru")),  # as all shapes of the language
    ("parameter", "init"),
}


@pytest.mark.parametrize("name", OPS)
def test_defaults_are_pytorchs(name: str) -> None:
    """A default that is PyTorch's too has the same value there."""
    op = REGISTRY[name]
    attributes, inputs = op.samples[0]
    call = op.of(**attributes).torch_call(inputs)
    if not call.is_module:
        return
    layer = real(op.of(**attributes), inputs).target
    theirs = inspect.signature(layer).parameters
    for attribute in op.attributes:
        their_default = getattr(theirs.get(attribute.name), "default", inspect.Parameter.empty)
        if their_default is inspect.Parameter.empty or (name, attribute.name) in OWN_DEFAULTS:
            continue
        assert not attribute.required
        assert attribute.kind.parse(their_default) == attribute.default


@given(st.data())
@settings(max_examples=60)
def test_twice_the_batch_is_twice_the_work(data: st.DataObject) -> None:
    """Batch norm without running statistics and adding images up aside, work is proportional to the batch."""
    name = data.draw(st.sampled_from([n for n in OPS if not n.startswith("batch_norm")]))
    attributes, inputs = data.draw(STRATEGIES[name])
    doubled = tuple((2 * shape[0], *shape[1:]) for shape in inputs)
    try:
        op = REGISTRY[name].of(**attributes)
        once, twice = op.shape(inputs), op.shape(doubled)
    except OpError:
        return
    over_images = isinstance(op, Softmax) and op._dim(once) == 0
    if attributes.get("start_dim") in (0, -len(inputs[0])) or over_images:
        return  # the batch itself is flattened, or summed over
    first, second = op.cost(inputs, once), op.cost(doubled, twice)
    assert first is not None
    assert second == first + first
    assert op.weights(inputs) == op.weights(doubled)
