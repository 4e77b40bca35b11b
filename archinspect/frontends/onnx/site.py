"""One call of an ONNX operator as the rules that lower it see it, and what they make of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...errors import OpError
from ...ops import REGISTRY, Op, Shape, Shapes
from .values import Call, Tensor

#: a parameter of a call: the op's name for it, the tensor, whether it is saved but not learnt
Weight = tuple[str, Tensor, bool]


@dataclass(eq=False)
class Lowered:
    """A call as a node will have it."""

    call: Call
    op: Op
    reads: list[Tensor]
    weights: list[Weight]
    #: the input in whose memory the output lies
    memory: Tensor | None = None
    outputs: list[Tensor] = field(default_factory=list)


class Site:
    """One call as the rules see it."""

    def __init__(self, call: Call, is_number: Callable[[Tensor], bool]) -> None:
        self.call = call
        self._is_number = is_number

    def __getitem__(self, index: int) -> Tensor | None:
        return self.call.input(index)

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute; text as text."""
        value = self.call.attributes.get(name, default)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value

    def real(self, name: str, default: float) -> float:
        """An attribute as it was written before it became a number of 32 bits: 0.1, not 0.10000000149."""
        return short(self.get(name, default))

    def numbers(self, index: int) -> list[Any] | None:
        """A constant input as a list of numbers."""
        value = self.call.constant(index)
        return None if value is None else [number.item() for number in np.ravel(value)]

    def axes(self, index: int = 1) -> list[int] | None:
        """`axes`, which older operators have as an attribute and newer ones as an input; None where not given."""
        given = self.get("axes")
        return list(given) if given is not None else self.numbers(index)

    @property
    def version(self) -> int:
        return self.call.version

    @property
    def x(self) -> Shape:
        """Shape of the first input."""
        first = self[0]
        return first.shape if first is not None else ()

    @property
    def outputs(self) -> list[Tensor]:
        return [tensor for tensor in self.call.outputs if tensor is not None]

    @property
    def results(self) -> Shapes:
        return tuple(tensor.shape for tensor in self.outputs)

    @property
    def y(self) -> Shape:
        """Shape of the first output."""
        return self.results[0] if self.results else ()

    def shapes(self, indices: Iterable[int] | None = None) -> Shapes:
        """Shapes of the inputs, or of some of them; absent ones left out."""
        picked = range(len(self.call.inputs)) if indices is None else indices
        return tuple(tensor.shape for tensor in map(self.__getitem__, picked) if tensor is not None)

    def stored(self, *indices: int) -> bool:
        """Whether all of these inputs are there and are stored tensors."""
        tensors = [self[index] for index in indices]
        return all(tensor is not None and bool(tensor.stored) for tensor in tensors)

    def absent(self, index: int) -> bool:
        return self[index] is None

    def weights(self, **indices: int) -> list[Weight]:
        """Stored inputs by the op's names for them; those that are absent or flow are left out."""
        found: list[Weight] = []
        for name, index in indices.items():
            tensor = self[index]
            if tensor is not None and tensor.stored:
                found.append((name, tensor, name.startswith("running_")))
        return found

    def made(
        self,
        op: Op,
        weights: list[Weight] | None = None,
        *,
        only: Iterable[int] | None = None,
        memory: Tensor | None = None,
    ) -> Lowered:
        """The result.  `only` are the inputs that matter, where others just say sizes.

        Unless `weights` says which they are, parameters are the stored numbers among the inputs.
        """
        picked = list(range(len(self.call.inputs)) if only is None else only)
        reads = [
            tensor for tensor in map(self.__getitem__, picked) if tensor is not None and not tensor.stored
        ]
        if weights is None:
            weights = []
            for index in picked:
                tensor = self[index]
                if tensor is not None and tensor.stored and self._is_number(tensor):
                    weights.append((self.formal(index), tensor, False))
        return Lowered(self.call, op, reads, weights, memory, self.outputs)

    def formal(self, index: int) -> str:
        """What the operator's schema calls an input; numbered where it takes any number of them."""
        formals = self.call.formals
        if index < len(formals) - 1 or (index < len(formals) and len(self.call.inputs) <= len(formals)):
            return formals[index].lower()
        return f"input_{index}"


Rule = Callable[[Site], Lowered]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Enter a rule for operators of these names."""

    def enter(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, rule))
        return rule

    return enter


def exactly(type: str, inputs: Shapes, output: Shape, **attributes: Any) -> Op | None:
    """The language's layer with these attributes, if there is one that makes this shape of these inputs."""
    family = REGISTRY.get(type)
    if family is None:
        return None
    try:
        op = family.of(**attributes)
        return op if op.shape(inputs) == output else None
    except (OpError, TypeError):
        return None


def short(value: float) -> float:
    """A number of 32 bits as it was written: 0.1, not 0.10000000149."""
    return float(f"{value:.7g}")


def each(values: Sequence[int]) -> int | tuple[int, ...]:
    """Sizes as the language writes them: one number for one dimension."""
    return values[0] if len(values) == 1 else tuple(values)
