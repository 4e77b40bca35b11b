"""A spec as read: its arguments, blocks and statements, before anything is expanded.

`reader` makes these of YAML nodes; `validate` checks them; `expand` lays them out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...input_size import InputText
from ...ops import REGISTRY
from .calls import Call, Chain, calls
from .expressions import Expression
from .nodes import Scalar
from .problems import Problems
from .source import Source

if TYPE_CHECKING:
    from ...initializers import Initialization, Rule
    from .weight_names import WeightName

#: statement keys that are structure, not names
JOINS = ("add", "concat", "multiply")
SIDE_OUTPUT = "side_output"
INLINE = "inline"
LET = "let"
#: what calls a layer or scope that stands before once more, with its weights
SAME_AS = "same_as"
#: so many parts of expressions come free with a layer; more of them count as more layers
FREE_PARTS = 24


@dataclass(slots=True, eq=False)
class Named:
    """A name of a `let`, or of an output, and its value; `key` is where the name stands, `text` the value."""

    name: str
    value: Expression
    key: Scalar
    text: Scalar


@dataclass(slots=True, eq=False)
class Body:
    """What a statement holds: exactly one of a chain of calls, a sequence, branches, values, side outputs, or names.

    A join is of `branches`, which all read what comes in, or of `sources`: chains that begin where they say.  `names`
    are those of a `let`.  `unreadable` when something in it could not be read: what is there is checked, and nothing
    of it laid out.
    """

    chain: Chain | None = None
    text: Scalar | None = None  # where the chain is written
    sequence: tuple[Statement, ...] | None = None
    join: str | None = None
    branches: tuple[Statement, ...] = ()
    sources: tuple[Body, ...] = ()
    names: tuple[Named, ...] = ()
    unreadable: bool = False


@dataclass(slots=True, eq=False)
class Statement:
    """One item of a sequence, or one branch.

    `name` is None for an anonymous layer, a join and an inline statement.  `first`..`last` make several of it, named
    name1, name2 ...; `variable` is the number's name inside.  `template` are the name's texts and expressions where it
    has any (conv{stage}_1).
    """

    name: str | None
    key: Scalar | None
    body: Body
    condition: Expression | None = None
    first: Expression | None = None
    last: Expression | None = None
    variable: str | None = None
    template: tuple[str | Expression, ...] = ()
    inline: bool = False
    work: int = field(init=False)  # what laying it out once costs, without what it holds; 1 for most
    call: Call | None = field(init=False)  # where it is one named call and nothing else, as most are

    def __post_init__(self) -> None:
        chain = self.body.chain or ()
        work = sum([part.work for part in chain])
        self.call = None
        if self.condition is None and self.first is None and not self.template:
            alone = len(chain) == 1 and not self.inline and not self.body.unreadable
            self.call = chain[0] if alone and isinstance(chain[0], Call) else None
        else:
            found = [self.condition, self.first, self.last, *self.template]
            work += sum([e.work for e in found if isinstance(e, Expression)])
        self.work = 1 + work // FREE_PARTS


@dataclass(slots=True, eq=False)
class Parameter:
    """A parameter of a block; `default` is None when a use must give it."""

    name: str
    default: Expression | None
    column: int
    length: int


@dataclass(slots=True, eq=False)
class Block:
    """A named, parametrised sequence."""

    name: str
    parameters: tuple[Parameter, ...]
    body: tuple[Statement, ...]
    key: Scalar


@dataclass(slots=True, eq=False)
class Document:
    """A whole spec file.

    `argument_keys` has every argument; `arguments` those whose default could be read.  `unread` are texts that could
    not be: whatever they mention counts as used, so that one mistake is not reported as two.
    """

    source: Source
    name: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[InputText, ...] = ()  # as written, with or without the batch
    outputs: tuple[Named, ...] = ()  # where the spec names them; else the end of its layers
    arguments: dict[str, Any] = field(default_factory=dict)
    argument_keys: dict[str, Scalar] = field(default_factory=dict)
    blocks: dict[str, Block] = field(default_factory=dict)
    lender: Scalar | None = None  # the network whose blocks it uses too
    layers: tuple[Statement, ...] = ()
    init: Initialization | None = None
    init_places: tuple[tuple[Rule, Scalar, Scalar], ...] = ()  # its rules with their keys and texts
    weight_names: tuple[WeightName, ...] = ()
    errors: Problems = field(default_factory=Problems)  # met while reading
    unread: list[str] = field(default_factory=list)
    lost_blocks: set[str] = field(default_factory=set)  # names of blocks whose definition could not be read
    remarks: list[str] = field(default_factory=list)  # what looks like a slip and changes nothing
    networks: dict[str, Document] = field(default_factory=dict)  # that its calls name, as read
    within: tuple[str, ...] = ()  # files of the networks that this one is a part of

    @property
    def space(self) -> int:
        """How many spatial dimensions its layers work on."""
        return space_of(self._called())

    def _called(self) -> Iterator[str]:
        """The names of all calls, those of networks inside it, too."""
        bodies = (self.layers, *[block.body for block in self.blocks.values()])
        yield from (call.name for body in bodies for chain, _ in texts(body) for call in calls(chain))
        for network in self.networks.values():
            yield from network._called()

    @property
    def by_values(self) -> bool:
        """Whether it names values, shares weights, or has values of several types."""
        if len(self.inputs) > 1 or self.outputs or any(given.dtype for given in self.inputs):
            return True
        bodies = (self.layers, *[block.body for block in self.blocks.values()])
        if any(statement.body.sources for body in bodies for statement in statements(body)):
            return True
        found = {c for body in bodies for chain, _ in texts(body) for c in calls(chain)}
        return any(self._reads_values(call) for call in found if call.name not in self.blocks)

    def _reads_values(self, call: Call) -> bool:
        op = REGISTRY.get(call.name)
        if op is None:
            return True
        named = {argument.name for argument in call.arguments}
        return op.arity != 1 or bool(op.output_names) or not named.isdisjoint((*op.reads, *op.tied))

    @property
    def reads_sequences(self) -> bool:
        """Whether three sizes of an input are a batch, a sequence and its features: no layer works on a signal."""
        found = map(REGISTRY.get, self._called())
        return not any(op is not None and op.spatial == 1 and op.family != "batch_norm" for op in found)


def space_of(types: Iterable[str]) -> int:
    """How many spatial dimensions layers of these types work on: 2, unless all that say it say another number."""
    found: set[int] = set()
    for name in types:
        op = REGISTRY.get(name)
        # Batch norm of one dimension is for vectors of features, too.
        if op is not None and op.layout and op.family != "batch_norm":
            found.add(op.layout)
    return found.pop() if len(found) == 1 else 2


def statements(body: tuple[Statement, ...]) -> Iterator[Statement]:
    """Every statement of a sequence, nested ones too, in reading order."""
    for statement in body:
        yield statement
        yield from statements(statement.body.sequence or ())
        yield from statements(statement.body.branches)


def texts(body: tuple[Statement, ...]) -> Iterator[tuple[Chain, Scalar]]:
    """Every chain of a sequence with its text, nested ones too, in reading order."""
    for statement in statements(body):
        for part in (statement.body, *statement.body.sources):
            if part.chain is not None and part.text is not None:
                yield part.chain, part.text
