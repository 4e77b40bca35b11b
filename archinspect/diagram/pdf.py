"""A drawing as PDF, written directly: vector shapes, selectable text, the shipped typeface embedded.

One page, 1 px = 0.75 pt.  No dates and no identifiers are written, so that equal drawings give equal files.
Sources: ISO 32000-1 (PDF 1.7), sections 8.5 (paths), 9.7 (composite fonts), 9.10 (ToUnicode).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from .drawing import Disc, Drawing, Path, Point, Rect, Text
from .svg import number
from .typeface import FAMILY, Typeface, typeface

_SCALE = 0.75  # pt per px
_QUARTER = 0.5523  # handle length of a quarter circle


def to_pdf(drawing: Drawing) -> bytes:
    """The PDF file."""
    fonts = {"F1": typeface(False), "F2": typeface(True)}
    used: dict[str, set[str]] = {key: set() for key in fonts}
    content = "\n".join(_content(drawing, used)).encode("ascii")
    scale = _SCALE * drawing.scale
    width, height = number(drawing.width * scale), number(drawing.height * scale)
    file = _File()
    pages, page = file.reserve(), file.reserve()
    resources = " ".join(
        f"/{key} {_font(file, face, used[key], key == 'F2')} 0 R" for key, face in fonts.items() if used[key]
    )
    stream = file.stream(content)
    file.put(pages, f"<< /Type /Pages /Kids [{page} 0 R] /Count 1 >>")
    file.put(
        page,
        f"<< /Type /Page /Parent {pages} 0 R /MediaBox [0 0 {width} {height}] "
        f"/Resources << /Font << {resources} >> >> /Contents {stream} 0 R >>",
    )
    catalogue = file.add(f"<< /Type /Catalog /Pages {pages} 0 R /Lang (en) >>")
    made_by = "/Creator (archinspect) /Producer (archinspect; laid out by archinspect)"
    subject = _string(drawing.description)
    info = file.add(f"<< /Title {_string(drawing.title)} /Subject {subject} {made_by} >>")
    return file.finish(catalogue, info)


class _File:
    """Numbered objects and the table of their places."""

    def __init__(self) -> None:
        self.objects: list[bytes] = []

    def reserve(self) -> int:
        self.objects.append(b"")
        return len(self.objects)

    def put(self, number: int, body: str | bytes) -> None:
        self.objects[number - 1] = body.encode("ascii") if isinstance(body, str) else body

    def add(self, body: str | bytes) -> int:
        number = self.reserve()
        self.put(number, body)
        return number

    def stream(self, data: bytes, extra: str = "") -> int:
        packed = zlib.compress(data, 9)
        head = f"<< /Length {len(packed)} /Filter /FlateDecode {extra}>>\nstream\n"
        return self.add(head.encode("ascii") + packed + b"\nendstream")

    def finish(self, root: int, info: int) -> bytes:
        out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
        places = []
        for i, body in enumerate(self.objects, 1):
            places.append(len(out))
            out += f"{i} 0 obj\n".encode() + body + b"\nendobj\n"
        table = len(out)
        out += f"xref\n0 {len(places) + 1}\n0000000000 65535 f \n".encode()
        for place in places:
            out += f"{place:010d} 00000 n \n".encode()
        size = len(places) + 1
        out += f"trailer\n<< /Size {size} /Root {root} 0 R /Info {info} 0 R >>\nstartxref\n{table}\n%%EOF\n".encode()
        return bytes(out)


def _content(drawing: Drawing, used: dict[str, set[str]]) -> Iterator[str]:
    scale = _SCALE * drawing.scale
    left, top = drawing.left, drawing.top
    right_way_up = (f"{scale:.6g} 0 0 -{scale:.6g}", -left * scale, (drawing.height + top) * scale)
    yield f"{right_way_up[0]} {number(right_way_up[1])} {number(right_way_up[2])} cm 1 j"
    room = " ".join(map(number, (left, top, drawing.width, drawing.height)))
    yield f"{_colour(drawing.background)} rg {room} re f"
    for item in drawing.flat():
        if isinstance(item, Text):
            yield _text(item, used)
        else:
            yield _shape(item)


def _shape(item: Rect | Path | Disc) -> str:
    setup = []
    if item.fill:
        setup.append(f"{_colour(item.fill)} rg")
    if item.stroke:
        setup.append(f"{_colour(item.stroke)} RG {number(item.width)} w")
    dash = item.dash if isinstance(item, Path) else None
    if dash:
        setup.append(f"[{number(dash[0])} {number(dash[1])}] 0 d")
    outline = " ".join(_outline(item))
    paint = "B" if item.fill and item.stroke else "f" if item.fill else "S"
    reset = " [] 0 d" if dash else ""
    return f"{' '.join(setup)} {outline} {paint}{reset}"


def _outline(item: Rect | Path | Disc) -> Iterator[str]:
    if isinstance(item, Path):
        for command, values in item.segments():
            operator = {"M": "m", "L": "l", "C": "c", "Z": "h"}[command]
            yield " ".join([*map(number, values), operator])
        return
    if isinstance(item, Disc):
        (x, y), r = item.centre, item.radius
        yield from _rounded(x - r, y - r, x + r, y + r, r)
        return
    box = item.box
    if item.radius:
        yield from _rounded(
            box.x, box.y, box.right, box.bottom, min(item.radius, box.width / 2, box.height / 2)
        )
    else:
        yield f"{number(box.x)} {number(box.y)} {number(box.width)} {number(box.height)} re"


def _rounded(left: float, top: float, right: float, bottom: float, r: float) -> Iterator[str]:
    k = r * (1 - _QUARTER)
    corners: tuple[tuple[Point, Point, Point, Point], ...] = (
        ((right - r, top), (right - k, top), (right, top + k), (right, top + r)),
        ((right, bottom - r), (right, bottom - k), (right - k, bottom), (right - r, bottom)),
        ((left + r, bottom), (left + k, bottom), (left, bottom - k), (left, bottom - r)),
        ((left, top + r), (left, top + k), (left + k, top), (left + r, top)),
    )
    yield f"{number(left + r)} {number(top)} m"
    for start, first, second, end in corners:
        yield f"{number(start[0])} {number(start[1])} l"
        yield " ".join(number(v) for point in (first, second, end) for v in point) + " c"
    yield "h"


def _text(item: Text, used: dict[str, set[str]]) -> str:
    import math

    key = "F2" if item.bold else "F1"
    face = typeface(item.bold)
    used[key].update(item.text)
    codes = "".join(f"{face.glyph(character):04X}" for character in item.text)
    turn = math.radians(item.angle)
    cos, sin = math.cos(turn), math.sin(turn)
    shift = item.x - item.left
    x, y = item.x - shift * cos, item.y - shift * sin
    matrix = f"{cos:.5g} {sin:.5g} {sin:.5g} {-cos:.5g} {number(x)} {number(y)}"
    return f"BT {_colour(item.fill)} rg /{key} {number(item.size)} Tf {matrix} Tm <{codes}> Tj ET"


def _font(file: _File, face: Typeface, characters: set[str], bold: bool) -> int:
    """A composite font whose codes are glyph numbers, with the way back to Unicode for copying text."""
    name = f"{FAMILY}-{'Bold' if bold else 'Regular'}"
    em = 1000 / face.units
    glyphs = {face.glyph(character): character for character in sorted(characters)}
    widths = " ".join(f"{glyph} [{number(face.advances[glyph] * em)}]" for glyph in sorted(glyphs))
    program = file.stream(face.data, f"/Length1 {len(face.data)} ")
    bounds = " ".join(number(value * em) for value in face.bounds)
    descriptor = file.add(
        f"<< /Type /FontDescriptor /FontName /{name} /Flags 4 /FontBBox [{bounds}] /ItalicAngle 0 "
        f"/Ascent 905 /Descent -212 /CapHeight 716 /StemV {140 if bold else 80} /FontFile2 {program} 0 R >>"
    )
    child = file.add(
        f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /{name} /CIDToGIDMap /Identity "
        f"/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> "
        f"/FontDescriptor {descriptor} 0 R /DW 1000 /W [{widths}] >>"
    )
    meaning = file.stream(_to_unicode(glyphs).encode("ascii"))
    return file.add(
        f"<< /Type /Font /Subtype /Type0 /BaseFont /{name} /Encoding /Identity-H "
        f"/DescendantFonts [{child} 0 R] /ToUnicode {meaning} 0 R >>"
    )


def _to_unicode(glyphs: dict[int, str]) -> str:
    lines = [
        f"<{glyph:04X}> <{char.encode('utf-16-be').hex().upper()}>" for glyph, char in sorted(glyphs.items())
    ]
    blocks = [lines[i : i + 100] for i in range(0, len(lines), 100)]  # at most 100 in a block
    body = "\n".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks)
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
        "/CMapName /Adobe-Identity-UCS def /CMapType 2 def\n"
        "1 begincodespacerange <0000> <FFFF> endcodespacerange\n"
        f"{body}\nendcmap CMapName currentdict /CMap defineresource pop end end"
    )


def _colour(text: str) -> str:
    return " ".join(number(int(text[i : i + 2], 16) / 255) for i in (1, 3, 5))


def _string(text: str) -> str:
    return f"<FEFF{text.encode('utf-16-be').hex().upper()}>"
