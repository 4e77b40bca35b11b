"""Read what a pickle holds without running it.

A pickle is a program for a small stack machine; `pickle.load` imports the names that it has and calls them.  This
reader runs the machine on plain data: a name stays a `Name`, a call or an object an `Made` with its arguments, both to
be looked at.  Nothing is imported, called or compared, so a hostile file can do nothing but be wrong.  Each operation
costs time and memory by its own bytes, whatever it refers to: a list that is used again is not copied.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from .stored import HeaderError

# Longer keys and names are none: keys are hashed and compared, names put together, as often as they are referred to.
_LONGEST_KEY = 1_000


@dataclass(frozen=True, slots=True)
class Name:
    """A class or function that a pickle names."""

    path: str


@dataclass(slots=True, eq=False)
class Made:
    """What a pickle would make by calling `what` with `args`, and what it then would put into it."""

    what: Any
    args: Any
    state: Any = None
    items: list[Any] = field(default_factory=list)
    pairs: dict[Any, Any] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Persistent:
    """A reference to something outside the pickle: a storage of numbers."""

    key: Any


class _Mark:
    """Where a group of values begins on the stack."""


_MARK = _Mark()


class Unpickler:
    """Reads one pickle after another from `data`, from `position` on.

    `persistent` are the references to what lies outside, in the order of the last pickle.
    """

    def __init__(self, data: Any, end: int, position: int = 0) -> None:
        self._data = data
        self._end = end
        self.position = position
        self.persistent: list[Persistent] = []
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def load(self) -> Any:
        """The value of the next pickle.  Raises HeaderError."""
        self._stack = []
        self._memo = {}
        self.persistent = []
        data, end = self._data, self._end
        while self.position < end:
            code = data[self.position]
            self.position += 1
            if code == _STOP:
                if len(self._stack) != 1 or self._stack[0] is _MARK:
                    self._fail("it ends with more or fewer than one value")
                return self._stack[0]
            operation = _OPERATIONS.get(code)
            if operation is None:
                self._fail(f"operation {code:#04x} does not exist")
            operation[0](self, *operation[1:])
        raise HeaderError("its pickle has no end", notes=[f"{end:,} bytes were read"])

    def _fail(self, reason: str) -> NoReturn:
        raise HeaderError("its pickle is damaged", notes=[f"{reason}, at byte {self.position - 1:,}"])

    # Bytes ----------------------------------------------------------------------------------------------------------

    def _take(self, count: int) -> bytes:
        begin = self.position
        if count > self._end - begin:
            self._fail(f"{count:,} bytes are asked for and {self._end - begin:,} follow")
        self.position = begin + count
        return self._data[begin : self.position]  # type: ignore[no-any-return]

    def _whole(self, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(self._take(size), "little", signed=signed)

    def _line(self) -> str:
        at = self._data.find(b"\n", self.position, self._end)
        if at < 0:
            self._fail("a line has no end")
        line = self._take(at - self.position)
        self.position = at + 1
        return self._text(line)

    def _text(self, data: bytes) -> str:
        # Python 2 wrote texts as bytes of an unknown encoding: what is not UTF-8 is shown, not refused.
        return data.decode("utf-8", "backslashreplace")

    # The stack ------------------------------------------------------------------------------------------------------

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            self._fail("the stack is empty")
        return self._stack.pop()

    def _top(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            self._fail("the stack is empty")
        return self._stack[-1]

    def _group(self) -> list[Any]:
        """The values above the last mark."""
        stack = self._stack
        at = len(stack) - 1
        while at >= 0 and stack[at] is not _MARK:
            at -= 1
        if at < 0:
            self._fail("there is no mark")
        values = stack[at + 1 :]
        del stack[at:]
        return values

    # What operations do ---------------------------------------------------------------------------------------------

    def _nothing(self, skipped: int = 0) -> None:
        self._take(skipped)

    def _whole_number(self, size: int, signed: bool) -> None:
        self._push(self._whole(size, signed=signed))

    def _long_number(self, size: int) -> None:
        self._push(self._whole(self._whole(size), signed=True))

    def _whole_line(self) -> None:
        line = self._line()
        if line in ("00", "01"):  # how protocol 0 writes False and True
            self._push(line == "01")
            return
        try:
            self._push(int(line.rstrip("L")))
        except ValueError:
            self._fail("a number is none")

    def _float(self) -> None:
        self._push(struct.unpack(">d", self._take(8))[0])

    def _float_line(self) -> None:
        try:
            self._push(float(self._line()))
        except ValueError:
            self._fail("a number is none")

    def _text_line(self) -> None:
        self._push(self._line().strip("'\""))

    def _text_of(self, size: int) -> None:
        self._push(self._text(self._take(self._whole(size))))

    def _bytes_of(self, size: int) -> None:
        self._push(bytes(self._take(self._whole(size))))

    def _container(self, kind: Callable[[], Any]) -> None:
        self._push(kind())

    def _tuple(self, count: int) -> None:
        values = [self._pop() for _ in range(count)]
        self._push(tuple(reversed(values)))

    def _tuple_of_group(self) -> None:
        self._push(tuple(self._group()))

    def _list_of_group(self) -> None:
        self._push(self._group())

    def _dict_of_group(self) -> None:
        values = self._group()
        self._push({})
        self._set(values)

    def _add(self) -> None:
        self._extend([self._pop()])

    def _add_group(self) -> None:
        self._extend(self._group())

    def _extend(self, values: list[Any]) -> None:
        target = self._top()
        if isinstance(target, list):
            target.extend(values)
        elif isinstance(target, Made):
            target.items.extend(values)
        else:
            self._fail("items are added to what holds none")

    def _set_one(self) -> None:
        value = self._pop()
        self._set([self._pop(), value])

    def _set_group(self) -> None:
        self._set(self._group())

    def _set(self, values: list[Any]) -> None:
        target = self._top()
        if isinstance(target, Made):
            target = target.pairs
        if not isinstance(target, dict) or len(values) % 2:
            self._fail("keys are set in what has none")
        for key, value in zip(values[::2], values[1::2], strict=True):
            target[_key(key)] = value

    def _name_lines(self) -> None:
        self._push(self._name(self._line(), self._line()))

    def _name_of_stack(self) -> None:
        attribute = self._pop()
        self._push(self._name(self._pop(), attribute))

    def _name(self, module: Any, attribute: Any) -> Name:
        if not isinstance(module, str) or not isinstance(attribute, str):
            self._fail("a name is no text")
        if len(module) + len(attribute) > _LONGEST_KEY:
            self._fail("a name is too long")
        return Name(f"{module}.{attribute}")

    def _extension(self, size: int) -> None:
        self._push(Name(f"extension.{self._whole(size)}"))

    def _make(self) -> None:
        args = self._pop()
        self._push(Made(self._pop(), args))

    def _make_by_keywords(self) -> None:
        keywords = self._pop()
        args = self._pop()
        self._push(Made(self._pop(), args, keywords))

    def _make_of_group(self) -> None:
        values = self._group()
        if not values:
            self._fail("an object has no class")
        self._push(Made(values[0], tuple(values[1:])))

    def _make_by_lines(self) -> None:
        name = self._name(self._line(), self._line())
        self._push(Made(name, tuple(self._group())))

    def _build(self) -> None:
        state = self._pop()
        target = self._top()
        if isinstance(target, Made):
            target.state = state

    def _refer(self) -> None:
        self.persistent.append(Persistent(self._pop()))
        self._push(self.persistent[-1])

    def _refer_by_line(self) -> None:
        self._push(self._line())
        self._refer()

    def _put(self, size: int) -> None:
        self._memo[self._whole(size) if size else self._index_line()] = self._top()

    def _put_next(self) -> None:
        self._memo[len(self._memo)] = self._top()

    def _get(self, size: int) -> None:
        index = self._whole(size) if size else self._index_line()
        if index not in self._memo:
            self._fail(f"memo {index:,} is empty")
        self._push(self._memo[index])

    def _index_line(self) -> int:
        line = self._line()
        if not line.isdecimal() or len(line) > 18:
            self._fail("a number of the memo is none")
        return int(line)

    def _mark(self) -> None:
        self._push(_MARK)

    def _drop(self) -> None:
        if not self._stack:
            self._fail("the stack is empty")
        self._stack.pop()

    def _double(self) -> None:
        self._push(self._top())


def _key(key: Any) -> Any:
    """A key that is cheap to hash and to compare; of another its kind."""
    if isinstance(key, (str, bytes)):
        return key if len(key) <= _LONGEST_KEY else f"<{type(key).__name__} of {len(key):,}>"
    if isinstance(key, int):
        return key if key.bit_length() <= 64 else "<int>"
    if key is None or isinstance(key, float):
        return key
    return f"<{key.path if isinstance(key, Name) else type(key).__name__}>"


_STOP = ord(".")
_U = Unpickler
# Operations with their arguments by their code, as `pickletools` documents them.
_OPERATIONS: dict[int, tuple[Any, ...]] = {
    code[0]: operation
    for code, operation in {
        # Numbers and constants.
        b"N": (_U._push, None),
        b"\x88": (_U._push, True),
        b"\x89": (_U._push, False),
        b"K": (_U._whole_number, 1, False),
        b"M": (_U._whole_number, 2, False),
        b"J": (_U._whole_number, 4, True),
        b"\x8a": (_U._long_number, 1),
        b"\x8b": (_U._long_number, 4),
        b"I": (_U._whole_line,),
        b"L": (_U._whole_line,),
        b"G": (_U._float,),
        b"F": (_U._float_line,),
        # Texts and bytes.
        b"S": (_U._text_line,),
        b"V": (_U._text_line,),
        b"T": (_U._text_of, 4),
        b"U": (_U._text_of, 1),
        b"X": (_U._text_of, 4),
        b"\x8c": (_U._text_of, 1),
        b"\x8d": (_U._text_of, 8),
        b"B": (_U._bytes_of, 4),
        b"C": (_U._bytes_of, 1),
        b"\x8e": (_U._bytes_of, 8),
        b"\x96": (_U._bytes_of, 8),
        # Containers; sets are lists here.
        b"]": (_U._container, list),
        b"}": (_U._container, dict),
        b")": (_U._container, tuple),
        b"\x8f": (_U._container, list),
        b"\x85": (_U._tuple, 1),
        b"\x86": (_U._tuple, 2),
        b"\x87": (_U._tuple, 3),
        b"t": (_U._tuple_of_group,),
        b"l": (_U._list_of_group,),
        b"\x91": (_U._list_of_group,),
        b"d": (_U._dict_of_group,),
        b"a": (_U._add,),
        b"e": (_U._add_group,),
        b"\x90": (_U._add_group,),
        b"s": (_U._set_one,),
        b"u": (_U._set_group,),
        # Names and objects.
        b"c": (_U._name_lines,),
        b"\x93": (_U._name_of_stack,),
        b"\x82": (_U._extension, 1),
        b"\x83": (_U._extension, 2),
        b"\x84": (_U._extension, 4),
        b"R": (_U._make,),
        b"\x81": (_U._make,),
        b"\x92": (_U._make_by_keywords,),
        b"o": (_U._make_of_group,),
        b"i": (_U._make_by_lines,),
        b"b": (_U._build,),
        b"P": (_U._refer_by_line,),
        b"Q": (_U._refer,),
        # The memo and the stack.
        b"p": (_U._put, 0),
        b"q": (_U._put, 1),
        b"r": (_U._put, 4),
        b"\x94": (_U._put_next,),
        b"g": (_U._get, 0),
        b"h": (_U._get, 1),
        b"j": (_U._get, 4),
        b"(": (_U._mark,),
        b"0": (_U._drop,),
        b"1": (_U._group,),
        b"2": (_U._double,),
        # Version, frames, and buffers that lie outside.
        b"\x80": (_U._nothing, 1),
        b"\x95": (_U._nothing, 8),
        b"\x97": (_U._push, b""),
        b"\x98": (_U._nothing,),
    }.items()
}
