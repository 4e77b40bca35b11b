"use strict";
// Bars and buttons, and the first view.

by("unfold").addEventListener("click", () => all(true));
by("fold").addEventListener("click", () => all(false));
by("fit").addEventListener("click", fit);
by("in").addEventListener("click", () => zoom(1.25));
by("out").addEventListener("click", () => zoom(0.8));
by("save").addEventListener("click", save);
by("print").addEventListener("click", () => print());
by("help").addEventListener("click", () => by("keys").showModal());
function swapTheme() { state.theme = state.theme === "dark" ? "light" : "dark"; paint(); }
by("theme").addEventListener("click", swapTheme);
for (const [key, { words }] of Object.entries(HEATS)) tag("option", by("color"), words, { value: key });
by("color").value = state.color;
by("color").addEventListener("change", () => { state.color = by("color").value; paint(); });

const box = by("search");
box.addEventListener("input", () => search(box.value));
box.addEventListener("keydown", (event) => {
  if (event.key === "Enter") { event.preventDefault(); nextMatch(event.shiftKey ? -1 : 1); }
  if (event.key === "Escape") { box.value = ""; search(""); canvas.focus(); }
});
addEventListener("keydown", (event) => {
  if (event.target === box || event.ctrlKey || event.metaKey || event.altKey || by("keys").open) return;
  if (event.key === "/") { event.preventDefault(); box.focus(); box.select(); }
  else if (event.key === "?") by("keys").showModal();
  else if (event.key === "t") swapTheme();
});

const divider = by("divider");
const side = by("side");
function widen(width) { side.style.width = `${Math.min(Math.max(width, 200), innerWidth - 240)}px`; }
divider.addEventListener("pointerdown", (event) => { divider.setPointerCapture(event.pointerId); });
divider.addEventListener("pointermove", (event) => { if (divider.hasPointerCapture(event.pointerId)) widen(innerWidth - event.clientX - 3); });
divider.addEventListener("keydown", (event) => {
  const by = { ArrowLeft: 30, ArrowRight: -30 }[event.key];
  if (by) widen(side.clientWidth + by);
});

// The start: as much open as can still be read, at the size of the window.

function firstView() {
  const frames = [...framesIn(PANELS.flatMap((panel) => panel.body))].map((frame) => ({ frame, depth: depthOf(frame) }));
  const { depth, expand, fold } = DATA.start;
  const opened = (path) => expand.some((name) => path === name || path.startsWith(name + ".") || name.startsWith(path + "."));
  if (!fold) frames.forEach(({ frame }) => { if (frame.times > 1) unroll(frame); });
  const deepest = frames.reduce((most, { depth }) => Math.max(most, depth), -1) + 1;
  const asked = depth === null ? deepest : depth - 1;
  for (let level = Math.min(asked, deepest); level >= 0; level--) {
    frames.forEach(({ frame, depth }) => { frame.open = depth < level || opened(frame.name); });
    if (PANELS[0].title && level === 0) frames.forEach(({ frame, depth }) => { if (!depth) frame.open = true; });
    if ([...shown()].length > 400 && level) continue;
    const best = bestLimit(PANELS, room(), HEAD);
    state.limit = best.limit;
    if (best.scale >= 0.5 || depth !== null) break;
  }
}

const table = new Table((layer) => chooseLayer(layer), (layer) => openLayer(layer));
by("title").textContent = DATA.title;
for (const [name, text] of [["layers", grouped(LAYERS.length - 1)], ["params", grouped(DATA.totals.params)],
  ["MACs", (DATA.totals.complete ? "" : "≥ ") + grouped(DATA.totals.macs)], ["weights", binary(DATA.totals.weight_bytes)],
  ["peak activations", binary(DATA.totals.peak_activation_bytes)]]) {
  const one = tag("span", by("totals"));
  tag("b", one, text);
  one.append(` ${name}`);
}
firstView();
render();
fit();
table.show();
showDetails(null);
let size = room();
new ResizeObserver(() => { // keep the middle where it is
  const now = room();
  state.view.x += (now.width - size.width) / 2;
  size = now;
  move();
}).observe(canvas);
