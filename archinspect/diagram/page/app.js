"use strict";
// What pointers and keys do: fold, select, search, colour, move, save, print.

const canvas = document.getElementById("canvas");
const world = document.getElementById("world");
const marks = document.getElementById("marks");
const picture = document.getElementById("picture");
const by = (id) => document.getElementById(id);

const state = {
  theme: DATA.start.theme === "light" ? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light") : DATA.start.theme,
  color: DATA.start.color, limit: 850, selected: null, layer: null, matches: null, view: { x: 0, y: 0, scale: 1 },
};
let scene = null;
let drawn = { groups: new Map(), places: new Map() };
const elements = new Map();

const HEATS = {
  type: { words: "Layer type" },
  params: { words: "Parameters", value: (card) => card.params, text: brief },
  macs: { words: "MACs", value: (card) => card.macs, text: brief },
  memory: { words: "Activations (fp32)", value: (card) => card.memory, text: binary },
};
if (DATA.latency) {
  HEATS.latency = { words: "Latency", text: seconds,
    value: (card) => card.nodes.reduce((sum, node) => sum + (DATA.latency[node] || 0), 0) };
}

// The heat map of what is visible now: folding and unfolding changes what the hottest card is.
function heatNow() {
  const { words, value, text } = HEATS[state.color];
  if (!value) return null;
  const greatest = Math.max(0, ...scene.cards.filter(({ card }) => card.kind !== "io").map(({ card }) => value(card)));
  return { title: words, value, greatest, words: ["0", text(greatest / 4), text(greatest)] };
}

function themeNow() { return THEMES[state.theme]; }

function render() {
  scene = layOut(PANELS, state.limit, HEAD);
  paint();
}

function paint() {
  drawn = drawScene(scene, themeNow(), heatNow(), world);
  elements.clear();
  for (const element of shown()) {
    const visible = element.type === "frame" && !element.open ? element.card : element;
    elements.set(visible.id, visible);
    const group = drawn.groups.get(visible.id);
    if (!group) continue;
    group.setAttribute("role", "treeitem");
    group.setAttribute("id", `e${visible.id}`);
    group.setAttribute("aria-level", depthOf(element) + 1);
    group.setAttribute("aria-label", tip(visible));
    if (element.type === "frame") group.setAttribute("aria-expanded", element.open);
  }
  document.documentElement.dataset.theme = state.theme === "dark" ? "dark" : "light";
  picture.style.background = themeNow().background;
  mark();
  move();
}

// Rings around the selection and the matches of a search.
function mark() {
  marks.replaceChildren();
  const ring = (box, colour, width, dash) => {
    const one = rect({ x: box.x - 3.5, y: box.y - 3.5, width: box.width + 7, height: box.height + 7 }, 9, "none", colour, marks, width);
    if (dash) one.setAttribute("stroke-dasharray", dash);
    one.setAttribute("pointer-events", "none");
  };
  const found = state.matches && new Set(state.matches.map((layer) => holderOf(layer.index)).filter(Boolean).map((e) => e.id));
  for (const { card } of scene.cards) {
    drawn.groups.get(card.id).classList.toggle("faint", Boolean(found) && !found.has(card.id));
  }
  const accent = state.theme === "dark" ? "#7DB1FF" : "#2563EB";
  if (found) for (const id of found) if (drawn.places.has(id)) ring(drawn.places.get(id), themeNow().skip, 1.6, "5 3");
  const box = state.selected && drawn.places.get(state.selected.id);
  if (box) ring(box, accent, 2.4);
  for (const group of drawn.groups.values()) group.removeAttribute("aria-selected");
  const group = state.selected && drawn.groups.get(state.selected.id);
  if (group) {
    group.setAttribute("aria-selected", "true");
    canvas.setAttribute("aria-activedescendant", group.id);
  } else canvas.removeAttribute("aria-activedescendant");
}

// Moving

function move() {
  const { x, y, scale } = state.view;
  const transform = `translate(${number(x)} ${number(y)}) scale(${Math.round(scale * 1e4) / 1e4})`;
  world.setAttribute("transform", transform);
  marks.setAttribute("transform", transform);
}

function room() { return { width: canvas.clientWidth || 900, height: canvas.clientHeight || 700 }; }

function fit() {
  const { width, height } = room();
  const scale = Math.min(width / scene.width, height / scene.height, 1.4);
  const legible = Math.max(scale, 0.28);
  state.view = { scale: legible, x: Math.max(0, (width - scene.width * legible) / 2), y: Math.max(0, (height - scene.height * legible) / 2) };
  move();
}

function zoom(factor, at) {
  const { view } = state;
  const centre = at || { x: room().width / 2, y: room().height / 2 };
  const scale = Math.min(Math.max(view.scale * factor, 0.02), 8);
  const ratio = scale / view.scale;
  state.view = { scale, x: centre.x - (centre.x - view.x) * ratio, y: centre.y - (centre.y - view.y) * ratio };
  move();
}

function bringIntoView(box) {
  const { width, height } = room();
  const { view } = state;
  if (view.scale < 0.45 && box.height < 200) zoom(0.75 / view.scale);
  const [left, top] = [state.view.x + box.x * state.view.scale, state.view.y + box.y * state.view.scale];
  const [w, h] = [box.width * state.view.scale, Math.min(box.height * state.view.scale, height - 60)];
  if (left < 20) state.view.x += 40 - left;
  else if (left + w > width - 20) state.view.x -= left + w - width + 40;
  if (top < 20) state.view.y += 40 - top;
  else if (top + h > height - 20) state.view.y -= top + h - height + 40;
  move();
}

// Selecting and folding

function choose(element, layer = null, { scroll = true, look = true } = {}) {
  state.selected = element;
  state.layer = layer;
  const nodes = layer ? [layer.index] : element ? (element.frame || element.type === "frame" ? allOf(element.frame || element) : element.nodes) : [];
  table.select(nodes, LAYERS[nodes[0]], scroll);
  showDetails(element, layer, (other) => chooseLayer(other));
  mark();
  const box = element && drawn.places.get(element.id);
  if (look && box) bringIntoView(box);
}

function chooseLayer(layer) {
  const holder = holderOf(layer.index);
  choose(holder && holder.type === "frame" && !holder.open ? holder.card : holder, layer, { scroll: true });
}

function openLayer(layer) {
  const element = reveal(layer.index);
  render();
  choose(element, layer);
}

// Fold or unfold, and keep the place that was pressed where it is on the screen.
function change(element, action) {
  const before = drawn.places.get(element.id);
  action();
  render();
  const frame = element.frame || element;
  const target = frame.unrolled ? members(frame)[0] : frame.folded && !frame.folded.unrolled ? frame.folded : frame;
  const visible = target.open ? target : target.card;
  const after = drawn.places.get(visible.id);
  if (before && after) {
    state.view.x += (before.x - after.x) * state.view.scale;
    state.view.y += (before.y - after.y) * state.view.scale;
    move();
  }
  choose(visible, null, { look: false });
}

function toggle(element) {
  const frame = element.frame || element;
  if (frame.type === "frame") change(element, () => { frame.open = !frame.open; });
}

function roll(element) {
  const frame = element.frame || element;
  if (frame.type !== "frame") return;
  if (frame.times > 1) change(element, () => { unroll(frame); members(frame).forEach((one) => { one.open = frame.open; }); });
  else if (frame.folded) change(element, () => { unroll(frame.folded, false); frame.folded.open = frame.open; });
}

function all(open) {
  for (const frame of framesIn(PANELS.flatMap((panel) => panel.body))) frame.open = open;
  state.limit = bestLimit(PANELS, room(), HEAD).limit;
  state.selected = null;
  render();
  fit();
  choose(null);
}

function step(by) {
  const order = [...elements.values()];
  const at = order.findIndex((element) => state.selected && element.id === state.selected.id);
  const from = at < 0 && by > 0 ? -1 : at < 0 ? order.length : at;
  const next = Math.min(Math.max(from + by, 0), order.length - 1);
  choose(order[next]);
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const element = state.selected;
  const frame = element && (element.frame || (element.type === "frame" ? element : null));
  const actions = {
    ArrowDown: () => step(1), ArrowUp: () => step(-1), Home: () => step(-Infinity), End: () => step(Infinity),
    ArrowRight: () => { if (frame && !frame.open) toggle(element); else step(1); },
    ArrowLeft: () => {
      if (frame && frame.open) toggle(element);
      else if (element && element.parent) choose(element.parent);
    },
    Enter: () => element && toggle(element), " ": () => element && toggle(element), x: () => element && roll(element),
    "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), 0: fit,
  };
  if (!(event.key in actions)) return;
  event.preventDefault();
  actions[event.key]();
}

// Searching

function search(text) {
  const terms = text.toLowerCase().split(/\s+/).filter(Boolean);
  state.matches = terms.length ? LAYERS.filter((layer) => {
    const where = `${layer.name} ${layer.type.op} ${layer.type.category} ${TITLES[layer.index] || ""} ${DATA.shapes[layer.type.out]}`.toLowerCase();
    return terms.every((term) => where.includes(term));
  }) : null;
  state.at = -1;
  by("found").textContent = state.matches ? `${grouped(state.matches.length)} of ${grouped(LAYERS.length)}` : "";
  table.show(state.matches || LAYERS);
  mark();
}

function nextMatch(by) {
  const { matches } = state;
  if (!matches || !matches.length) return;
  state.at = (state.at + by + matches.length) % matches.length;
  openLayer(matches[state.at]);
  document.getElementById("found").textContent = `${state.at + 1} of ${matches.length}`;
}

// Saving and printing

function svgText() {
  const copy = document.createElementNS(NS, "svg");
  const background = themeNow().background;
  const size = { width: number(scene.width), height: number(scene.height) };
  for (const [key, value] of Object.entries({ ...size, viewBox: `0 0 ${size.width} ${size.height}`, role: "img", "font-family": FAMILY })) copy.setAttribute(key, value);
  svg("title", {}, copy, DATA.title);
  svg("desc", {}, copy, `${DATA.title}: ${DATA.subtitle}`);
  svg("rect", { ...size, fill: background }, copy);
  const picture = world.cloneNode(true);
  for (const element of [picture, ...picture.querySelectorAll("*")]) {
    for (const name of ["id", "transform", "class", "cursor", "role", "data-id", "data-toggle", "data-roll"]) element.removeAttribute(name);
    for (const { name } of [...element.attributes]) if (name.startsWith("aria-")) element.removeAttribute(name);
  }
  copy.append(picture);
  return new XMLSerializer().serializeToString(copy) + "\n";
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([svgText()], { type: "image/svg+xml" }));
  link.download = `${DATA.file.replace(/[^\w.-]+/g, "-") || "network"}.svg`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const MOST_PRINTED = 1000; // rows; more are left to the screen
let beforePrint = null;

addEventListener("beforeprint", () => {
  beforePrint = { theme: state.theme, view: state.view };
  state.theme = "print";
  paint();
  state.view = { x: 0, y: 0, scale: 1 };
  move();
  marks.replaceChildren();
  canvas.setAttribute("viewBox", `0 0 ${number(scene.width)} ${number(scene.height)}`);
  const paper = by("paper");
  paper.replaceChildren();
  if (table.order.length > MOST_PRINTED) {
    tag("p", paper, `The table of ${grouped(table.order.length)} layers is not printed; search narrows it down.`);
    return;
  }
  const printed = tag("table", paper);
  const head = tag("tr", tag("thead", printed));
  for (const column of COLUMNS) tag("th", head, column.title, { className: column.words ? "text" : "" });
  const body = tag("tbody", printed);
  for (const layer of table.order) {
    const row = tag("tr", body);
    for (const column of COLUMNS) tag("td", row, column.text(layer), { className: column.words ? "text" : "" });
  }
});
addEventListener("afterprint", () => {
  if (!beforePrint) return;
  canvas.removeAttribute("viewBox");
  by("paper").replaceChildren();
  Object.assign(state, beforePrint);
  beforePrint = null;
  paint();
});

// Pointers

const pointers = new Map();
let pressed = null;

canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const box = canvas.getBoundingClientRect();
  const lines = event.deltaMode === 1 ? 18 : 1;
  zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0016)), { x: event.clientX - box.x, y: event.clientY - box.y });
}, { passive: false });

canvas.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
  pressed = { at: [event.clientX, event.clientY], moved: false };
});
addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const now = [event.clientX, event.clientY];
  if (Math.hypot(now[0] - pressed.at[0], now[1] - pressed.at[1]) > 4) { pressed.moved = true; canvas.classList.add("moving"); }
  if (pointers.size === 2) {
    const other = [...pointers.entries()].find(([id]) => id !== event.pointerId)[1];
    const span = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]);
    const box = canvas.getBoundingClientRect();
    zoom(span(now) / (span(before) || 1), { x: (now[0] + other[0]) / 2 - box.x, y: (now[1] + other[1]) / 2 - box.y });
  } else if (pressed.moved) {
    state.view.x += now[0] - before[0];
    state.view.y += now[1] - before[1];
    move();
  }
  pointers.set(event.pointerId, now);
});
for (const kind of ["pointerup", "pointercancel"]) {
  addEventListener(kind, (event) => { pointers.delete(event.pointerId); if (!pointers.size) canvas.classList.remove("moving"); });
}

const pointed = (event) => {
  const group = event.target.closest && event.target.closest("[data-id]");
  return group ? elements.get(Number(group.dataset.id)) : null;
};
canvas.addEventListener("click", (event) => {
  if (pressed && pressed.moved) return;
  const element = pointed(event);
  if (element && event.target.closest("[data-toggle]")) toggle(element);
  else if (element && event.target.closest("[data-roll]")) roll(element);
  else choose(element, null, { look: false });
});
canvas.addEventListener("dblclick", (event) => {
  const element = pointed(event);
  if (element && !event.target.closest("[data-toggle],[data-roll]")) toggle(element);
});
canvas.addEventListener("keydown", press);

// Bars and buttons

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
