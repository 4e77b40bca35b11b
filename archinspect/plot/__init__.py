"""Charts: lines, points and bars on two axes, as SVG, PNG or inside a page.  The same bytes every time.

A chart is data; `draw` lays it out with the widths of the shipped typeface, `render` writes it:

>>> from archinspect.plot import Axis, Chart, Line, Point, render
>>> line = Line("alexnet", (Point(1, 35.1), Point(8, 120.0)))
>>> chart = Chart("Latency", Axis("Batch", log=True), Axis("ms"), (line,))
>>> render(chart, "svg")[:4]
'<svg'

- `Axis(title, log, low, high, show)`: linear or logarithmic; its ends follow the data unless given; `show` writes
  ticks.
- `Point(x, y, label, title, size, weight, tone)`: `label` stands beside it where there is room, the weightiest first;
  `title` shows on hovering; `size` is the radius in px.
- `Line(name, points, ...)`, `Points(name, points, ...)`, `Bars(name, points, ...)`: a series; `colour` numbers the
  palette, by default in order.  Bars stand on the x axis in groups; name their places with `Axis(categories=...)` and
  x = 0, 1, …
- `Chart(title, x, y, series, subtitle, notes)`: shown together; a series with a name is in the legend.

`render(chart, "svg" | "png")` gives text or bytes; `svg` for a page is `render(chart, "svg")` as it is.
"""

from __future__ import annotations

from .chart import Axis, Bars, Chart, Line, Point, Points, Series
from .draw import draw
from .write import ENDINGS, is_picture, render

__all__ = [
    "ENDINGS",
    "Axis",
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
