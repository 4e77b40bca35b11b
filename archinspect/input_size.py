"""Inputs as people write them: `3x224x224`, `input_ids=int64:1x128`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

INPUT_HELP = "write CxHxW, for example 3x224x224, or NxCxHxW for a batch; 128xint64 are 128 token ids"
#: by the number of spatial dimensions that a network works on
EXAMPLES = {
    1: "CxL, for example 2x16000",
    2: "CxHxW, for example 3x224x224",
    3: "CxDxHxW, for example 3x16x112x112",
}
LARGEST_SIDE = 1 << 20
#: no tensor of a network has more dimensions
MOST_SIZES = 8


def parse_sizes(text: str) -> tuple[int, ...]:
    """The numbers of `3x224x224`, with or without the batch.  Raises ValueError with what is wrong."""
    parts = [part.strip() for part in re.split(r"[x×X*,]", text.strip())]
    shown = text if len(text) <= 60 else f"{text[:60]}…"
    if not all(part.isascii() and part.isdigit() and len(part) < 12 for part in parts):
        raise ValueError(f"'{shown}' is not an input size")
    sizes = tuple(map(int, parts))
    if len(sizes) > MOST_SIZES:
        raise ValueError(f"'{shown}' has {len(sizes)} sizes; an input has at most {MOST_SIZES}")
    if min(sizes) < 1 or max(sizes) > LARGEST_SIDE:
        raise ValueError(f"'{shown}' has a size outside 1 … {LARGEST_SIDE:,}")
    return sizes


def with_batch(sizes: tuple[int, ...], space: int = 2) -> tuple[int, ...]:
    """The shape of an input, batch first, for a network that works on `space` spatial dimensions.

    One number is a vector of features, channels and `space` sizes are one signal, image or volume: these get a batch of
    1.  Everything else has its batch: 8x784, 8x3x224x224.
    """
    return (1, *sizes) if len(sizes) in (1, space + 1) else sizes


def parse_input(text: str) -> tuple[int, ...]:
    """`3x224x224` to (1, 3, 224, 224); `8x3x224x224` keeps its batch; `784` and `8x784` are vectors of features.

    Raises ValueError with what is wrong.
    """
    return with_batch(parse_sizes(text))


#: types of elements that an input may have
DTYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")


@dataclass(frozen=True, slots=True)
class InputText:
    """One input: the sizes as written, and the name and type where these are given.

    `without_batch` where the sizes are said to be those of one example: `Nx100x64`.
    """

    sizes: tuple[int, ...]
    name: str | None = None
    dtype: str | None = None
    without_batch: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's shape: as written if the input has a name or a type, else with its batch (`with_batch`)."""
        if self.without_batch:
            return (1, *self.sizes)
        return with_batch(self.sizes) if self.name is None and self.dtype is None else self.sizes

    def shape_in(self, space: int) -> tuple[int, ...]:
        """The tensor's shape in a spec whose layers work on `space` dimensions; integers have none of these."""
        if self.without_batch:
            return (1, *self.sizes)
        return with_batch(self.sizes, space if (self.dtype or "float32").startswith(_FLOATS) else 2)


_FLOATS = ("float", "bfloat")
_WRITTEN = re.compile(
    r"(?P<batch>[Nn]\s*[x×X*,])?(?P<sizes>.*?)(?:[x×X*,]\s*(?P<dtype>[A-Za-z]\w*)\s*)?", re.DOTALL
)


def parse_input_text(text: str, name: str | None = None) -> InputText:
    """`3x224x224`, `128xint64` or `Nx100x64` as an input.  Raises ValueError with what is wrong."""
    match = _WRITTEN.fullmatch(text.strip())
    assert match is not None
    dtype = match["dtype"]
    if dtype is not None and dtype not in DTYPES:
        raise ValueError(f"'{dtype[:60]}' is no type of an input; types are {', '.join(DTYPES)}")
    return InputText(parse_sizes(match["sizes"]), name, dtype, match["batch"] is not None)


_NAMED = re.compile(r"(?:(?P<name>[A-Za-z_][\w.]*)=)?(?:(?P<dtype>[a-z]\w*):)?(?P<sizes>[^=:]*)")


def parse_inputs(texts: Sequence[str]) -> list[InputText]:
    """`["3x224x224", "mask=bool:1x128"]` as inputs: [name=][type:]sizes.  Raises ValueError with what is wrong."""
    found = []
    for text in texts:
        match = _NAMED.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"'{text[:60]}' is not an input size")
        one = parse_input_text(match["sizes"], match["name"])
        found.append(replace(one, dtype=match["dtype"]) if match["dtype"] else one)
    names = [one.name for one in found if one.name is not None]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the input '{name}' is given twice")
    return found
