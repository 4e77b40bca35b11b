"""docs/images/contact-sheet.png: ResNet-50 by torchview and by us, each as large as a page allows.

`python -m tests.diagram.contact_sheet`; torchview and torch must be installed for its tile.
"""

from __future__ import annotations

import base64
import struct
import sys
from html import escape

from archinspect.diagram import draw
from archinspect.diagram.png import to_png
from archinspect.diagram.typeface import FAMILY, typeface
from archinspect.frontends.spec import load_graph
from tests.diagram.benchmark import torchview_picture
from tests.diagram.gallery import IMAGES

TILE, BAR, GAP = (900, 560), 26, 8
COLUMNS = 3
#: caption → options
OURS: dict[str, dict[str, object]] = {
    "archinspect diagram resnet50": {},
    "archinspect diagram resnet50 --overview": {"overview": True},
    "archinspect diagram resnet50 --style volume": {"style": "volume"},
    "archinspect diagram resnet50 --color macs": {"color": "macs"},
    "archinspect diagram resnet50 --only conv3_x.block1": {"only": "conv3_x.block1"},
}


def tiles() -> list[tuple[str, bytes]]:
    """Captions and PNG files."""
    graph = load_graph("resnet50")
    theirs = torchview_picture("png")
    if theirs is None:
        sys.exit("torchview is not installed")
    found = [("torchview 0.2.7, default", theirs)]
    for caption, options in OURS.items():
        picture = draw(graph, **options).drawing
        scale = min(TILE[0] / picture.width, TILE[1] / picture.height)
        found.append((caption, to_png(picture, width=int(scale * picture.width))))
    return found


def main() -> None:
    """Write the sheet, as an SVG of PNGs that is drawn once."""
    from resvg_py import svg_to_bytes

    found = tiles()
    rows = -(-len(found) // COLUMNS)
    width = COLUMNS * (TILE[0] + GAP) + GAP
    height = rows * (TILE[1] + BAR + GAP) + GAP
    parts = [f'<rect width="{width}" height="{height}" fill="#E2E6ED"/>']
    for number, (caption, png) in enumerate(found):
        x = GAP + number % COLUMNS * (TILE[0] + GAP)
        y = GAP + number // COLUMNS * (TILE[1] + BAR + GAP)
        data = base64.b64encode(png).decode()
        size = "×".join(map(str, struct.unpack(">II", png[16:24])))
        words = caption + (f", {size} px" if not number else "")
        parts += [
            f'<text x="{x + 4}" y="{y + 18}" font-size="14" fill="#1E293B">{escape(words)}</text>',
            f'<rect x="{x}" y="{y + BAR}" width="{TILE[0]}" height="{TILE[1]}" fill="#FFFFFF"/>',
            f'<image x="{x}" y="{y + BAR}" width="{TILE[0]}" height="{TILE[1]}" '
            f'image-rendering="optimizeQuality" href="data:image/png;base64,{data}"/>',
        ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="{FAMILY}">'
    )
    fonts = [str(typeface(bold).path) for bold in (False, True)]
    drawn = svg_to_bytes(
        svg_string="".join([head, *parts, "</svg>"]),
        font_files=fonts,
        font_family=FAMILY,
        skip_system_fonts=True,
    )
    (IMAGES / "contact-sheet.png").write_bytes(bytes(drawn))
    print("wrote docs/images/contact-sheet.png")


if __name__ == "__main__":
    main()
