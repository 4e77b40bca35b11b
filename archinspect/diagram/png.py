"""A drawing as PNG, by resvg (the `diagram` extra) and with the shipped typeface only."""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import replace

from ..errors import fail
from .drawing import Drawing
from .svg import to_svg
from .typeface import FAMILY, typeface

_DPI = 96.0  # of a picture at its own size: 1 px is 1 px
_MOST_PIXELS = 30_000


def to_png(drawing: Drawing, *, width: int | None = None, dpi: float | None = None) -> bytes:
    """The PNG file: `width` px wide, or at `dpi` (96 is the picture's own size), or else at the drawing's density.

    Raises ArchinspectError: A404 without the resvg-py package, A403 for a size beyond what it can draw.
    """
    try:
        from resvg_py import svg_to_bytes
    except ImportError:
        raise fail(
            "A404",
            "PNG needs the package resvg-py, which is not installed",
            help="pip install 'archinspect[diagram]', or write .svg or .pdf",
        ) from None
    sides = drawing.scale * drawing.width, drawing.scale * drawing.height
    zoom = width / sides[0] if width else (dpi or drawing.dpi) / _DPI
    side = zoom * max(sides)
    if not math.isfinite(zoom) or side > _MOST_PIXELS or zoom * min(sides) < 1:
        raise fail(
            "A403", f"the picture would be {side:,.0f} px on its longer side", help="choose another size"
        )
    data = svg_to_bytes(
        svg_string=to_svg(replace(drawing, unit="px"), family=FAMILY),
        zoom=zoom,
        font_files=[str(typeface(bold).path) for bold in (False, True)],
        font_family=FAMILY,
        sans_serif_family=FAMILY,
        skip_system_fonts=True,
    )
    return _with_density(bytes(data), zoom * _DPI)


def _with_density(png: bytes, dpi: float) -> bytes:
    """The file with its dots per metre, behind the header (PNG specification, 11.3.5.3)."""
    per_metre = round(dpi / 0.0254)
    chunk = b"pHYs" + struct.pack(">IIB", per_metre, per_metre, 1)
    header = 8 + 25  # signature, IHDR
    return png[:header] + struct.pack(">I", 9) + chunk + struct.pack(">I", zlib.crc32(chunk)) + png[header:]
