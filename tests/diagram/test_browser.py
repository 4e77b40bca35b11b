"""Chromium's own widths of the words, where it is at hand, are those that the layout reckoned with."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from archinspect.diagram import draw
from archinspect.diagram.drawing import Text
from archinspect.diagram.svg import to_svg
from archinspect.diagram.typeface import typeface
from archinspect.frontends.spec import load_graph

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MEASURE = """
document.fonts.load('12px Arimo').then(() => document.fonts.load('bold 12px Arimo')).then(() => {
  const found = [...document.querySelectorAll('svg text')].map(t => [t.textContent, t.getComputedTextLength()]);
  document.getElementById('found').textContent = JSON.stringify(found);
});
"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_chromium_agrees_with_the_shipped_widths(tmp_path: Path) -> None:
    drawing = draw(load_graph("resnet50")).drawing

    faces = "".join(
        f"@font-face{{font-family:Arimo;font-weight:{weight};src:url('{typeface(bold).path.as_uri()}')}}"
        for bold, weight in ((False, 400), (True, 700))
    )
    page = tmp_path / "page.html"
    page.write_text(
        f"<!doctype html><meta charset=utf-8><style>{faces}</style>{to_svg(drawing, family='Arimo')}"
        f"<pre id=found></pre><script>{MEASURE}</script>",
        encoding="utf-8",
    )
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000", "--dump-dom"]
    assert CHROMIUM
    done = subprocess.run(
        [CHROMIUM, *options, f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()],
        capture_output=True, text=True, encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip
    match = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.S)
    assert match, done.stderr[-500:]
    found = json.loads(html.unescape(match[1]))
    ours = [(item.text, item.width) for item in drawing.flat() if isinstance(item, Text)]
    assert [text for text, _ in found] == [text for text, _ in ours]
    for (text, theirs), (_, width) in zip(found, ours, strict=True):
        assert theirs == pytest.approx(width, rel=0.005, abs=0.3), text
