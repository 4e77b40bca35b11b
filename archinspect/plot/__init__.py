"""Charts: lines, points and bars on two axes, as SVG, PNG or inside a page.  The same bytes every time.

A chart is data; `draw` lays it out with the widths of the shipped typeface, `render` writes it:

>>> from archinspect.plot import Axis, Chart, Line, Point, render
>>> line = Line("alexnet", (Point(1, 35.1), Point(8, 120.0)))
>>> chart = Chart("Latency", Axis("Batch", log=True), Axis("ms"), (line,))
>>> render(chart, "svg")[:4]
'<svg'

- `Axis(title, log, low, high, show)`: linear or logarithmic; its ends follow the data; `show` writes its ticks.
- `Point(x, y, label, title, size, weight)`: `label` stands beside it where there is room, the weightiest first;
  `title` shows on hovering; `size` is the radius in px.
- `Line`, `Points`, `Bars` `(name, points, ...)`: a series; one with a name is in the legend; `colour` numbers the
  palette, by default in order.  Bars stand in groups at x = 0, 1, …, which `Axis(categories=...)` names.
- `Band(name, points, colour, upper)`: the area between two lines, behind all others.
- `Chart(title, x, y, series, subtitle, notes)`: shown together.
"""

from __future__ import annotations

from .chart import Axis, Band, Bars, Chart, Line, Point, Points, Series
from .draw import draw
from .write import ENDINGS, is_picture, render

__all__ = [
    "ENDINGS",
    "Axis",
    "Band",
    "Bars",
    "Chart",
    "Line",
    "Point",
    "Points",
    "Series",
    "draw",
    "is_picture",
    "render",
]
