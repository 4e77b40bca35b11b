"use strict";
// What is shown now: the state of the page, and what selecting, folding and keys do to it.

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
