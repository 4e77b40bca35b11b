"use strict";
// The network: layers (rows of the table) and elements (what is drawn), unpacked from the page's data.

const FORMAT = new Intl.NumberFormat("en-US");
const DATA = JSON.parse(document.getElementById("data").textContent);
const THEMES = DATA.themes;

// Texts are written as a pattern's number and the numbers that stand in it.
const textOf = (code) => {
  let i = 1;
  return DATA.patterns[code[0]].replace(/[\u0001\u0002]/g, (place) => (place === "\u0001" ? code[i++] : FORMAT.format(code[i++])));
};

const TYPES = DATA.types.map(([op, category, from, to, params, macs, flops, memory, buffers, why]) => ({
  op: textOf(op), category: DATA.categories[category], in: from, out: to, params, macs, flops, memory, buffers,
  why: why && Object.fromEntries(["shape", "params", "macs", "flops"].map((key, i) => [key, why[i] ? textOf(why[i]) : ""])),
}));

// Names share the beginning of the name before them.
const LAYERS = [];
DATA.layers.forEach(([shared, rest, type, field, sources = [1]], i) => {
  const name = (i ? LAYERS[i - 1].name.slice(0, shared) : "") + rest;
  LAYERS.push({ index: i, name, field, sources: sources.map((back) => i - back), type: TYPES[type],
    seconds: DATA.latency ? DATA.latency[i] : null });
});

const BY_LAYER = new Map(); // layer's index -> its card
let serial = 0;

function unpack(items, path, shift, parent) {
  return items.map((item) => {
    if (item[0] === "c") return cardOf(item, path, shift, parent);
    if (item[0] === "f") return frameOf(item, path, shift, parent);
    const branches = item[1].map(([name, body]) => ({ name, body: unpack(body, path, shift, parent) }));
    if (item[0] === "n") return { type: "net", branches, links: item[2], shape: DATA.shapes[item[3]], parent };
    if (item[0] === "s") return { type: "side", branches, shape: DATA.shapes[item[2]], parent };
    const join = cardOf(item[2], path, shift, parent);
    return { type: "fork", branches, join, shape: join.shape, parent };
  });
}

function template(index) {
  const [kind, title, parts, figures, params, macs, memory, layers, from, to, sign] = DATA.cards[index];
  return { kind: DATA.categories[kind], title: textOf(title), parts: textOf(parts), figures: textOf(figures), params,
    macs, memory, layers, from: DATA.shapes[from], shape: DATA.shapes[to], sign };
}

function fullName(name, path) {
  if (typeof name === "number") name = DATA.names[name];
  return name.startsWith(":") ? name.slice(1) : path ? `${path}.${name}` : name;
}

function layersOf(spans, shift) {
  const found = [];
  for (let i = 0; i < spans.length; i += 2) {
    for (let n = 0; n < spans[i + 1]; n++) found.push(spans[i] + n + shift);
  }
  return found;
}

function cardOf([, index, name, spans], path, shift, parent) {
  const card = { type: "card", id: serial++, name: fullName(name, path), nodes: layersOf(spans, shift), parent,
    repeat: 1, ...template(index) };
  return card;
}

function frameOf([, index, name, block, body, spans, run], path, shift, parent) {
  const own = fullName(name, path);
  const frame = { type: "frame", id: serial++, name: own, block, nodes: layersOf(spans, shift), parent, open: true,
    times: 1, member: "", ...template(index) };
  if (run) { // it stands for all of them until it is unrolled
    const starts = run.starts.map((start) => start + shift);
    Object.assign(frame, { times: run.names.length, run, starts, spec: [index, block, body, spans], shift });
  }
  frame.body = unpack(body, own, shift, frame);
  frame.card = closedCard(frame);
  if (run) retitle(frame, run.label);
  return frame;
}

function closedCard(frame) {
  const { id, name, nodes, title, parts, figures, params, macs, memory, layers, from, shape, times, parent } = frame;
  return { type: "card", closed: true, frame, id, name, nodes, kind: "block", title, parts, figures, params, macs,
    memory, layers, from, shape, parent, repeat: times };
}

function retitle(frame, title) { frame.title = title; frame.card.title = title; }

// Every layer that a folded frame stands for.
function allOf(frame) {
  if (!frame.run) return frame.nodes;
  return frame.starts.flatMap((start) => frame.nodes.map((node) => node - frame.starts[0] + start));
}

// The N frames of a folded one, made when first asked for.
function members(frame) {
  if (!frame.members) {
    const [index, block, body, spans] = frame.spec;
    const prefix = frame.name.slice(0, frame.name.length - frame.run.names[0].length);
    frame.members = frame.run.names.map((name, i) => {
      const shift = frame.shift + frame.run.starts[i] - frame.run.starts[0];
      const one = frameOf(["f", index, `:${prefix}${name}`, block, body, spans], "", shift, frame.parent);
      retitle(one, name);
      Object.assign(one, { member: `${i + 1}/${frame.times}`, folded: frame });
      return one;
    });
  }
  return frame.members;
}

function unroll(frame, unrolled = true) {
  frame.unrolled = unrolled;
  register([frame]);
}

// Enter where each layer is to be found.
function register(elements) {
  for (const element of elements) {
    if (element.type === "card") element.nodes.forEach((node) => BY_LAYER.set(node, element));
    else if (element.unrolled) register(members(element));
    else if (element.type === "frame") {
      allOf(element).forEach((node) => BY_LAYER.set(node, element));
      register(element.body);
    } else {
      element.branches.forEach((branch) => register(branch.body));
      if (element.join) register([element.join]);
    }
  }
}

function* framesIn(elements) {
  for (const element of elements) {
    if (element.type === "frame") {
      yield element;
      yield* framesIn(element.unrolled ? members(element) : element.body);
    } else if (element.branches) {
      for (const branch of element.branches) yield* framesIn(branch.body);
    }
  }
}

const PANELS = DATA.panels.map((panel) => ({ title: panel.title, body: unpack(panel.body, panel.path, 0, null) }));
PANELS.forEach((panel) => register(panel.body));

const TITLES = []; // of the card that a layer is drawn in, for searching; the same in all that a folded frame stands for
function entitle(elements) {
  for (const element of elements) {
    if (element.type === "card") element.nodes.forEach((node) => { TITLES[node] = element.title; });
    else if (element.type === "frame") {
      entitle(element.body);
      for (const start of element.starts || []) {
        element.nodes.forEach((node) => { TITLES[node - element.starts[0] + start] = TITLES[node]; });
      }
    } else {
      element.branches.forEach((branch) => entitle(branch.body));
      if (element.join) entitle([element.join]);
    }
  }
}
PANELS.forEach((panel) => entitle(panel.body));

function depthOf(frame) {
  let depth = 0;
  for (let above = frame.parent; above; above = above.parent) depth++;
  return depth;
}

// What is drawn now, in reading order: frames and cards.
function* shown(elements = PANELS.flatMap((panel) => panel.body)) {
  for (const element of expanded(elements)) {
    if (element.type === "frame") {
      yield element;
      if (element.open) yield* shown(element.body);
    } else if (element.type === "card") {
      yield element;
    } else {
      for (const branch of element.branches) yield* shown(branch.body);
      if (element.type === "fork") yield element.join;
    }
  }
}

// The element to look at for a layer: its card, or what it is hidden in.
function holderOf(layer) {
  let element = BY_LAYER.get(layer) || null;
  let visible = element;
  for (let above = element && element.parent; above; above = above.parent) {
    if (!above.open) visible = above;
  }
  return visible;
}

// Open and unroll whatever a layer is hidden in.
function reveal(layer) {
  let element = BY_LAYER.get(layer);
  while (element && element.type === "frame" && element.times > 1 && !element.unrolled && !element.nodes.includes(layer)) {
    unroll(element);
    element = BY_LAYER.get(layer);
  }
  for (let above = element && element.parent; above; above = above.parent) above.open = true;
  return element;
}
