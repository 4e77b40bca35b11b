"use strict";
// A scene as SVG elements with all colours written out, so that what is saved is what is seen.

const NS = "http://www.w3.org/2000/svg";

function svg(name, attributes, parent, text) {
  const element = document.createElementNS(NS, name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  if (text !== undefined) element.textContent = text;
  if (parent) parent.append(element);
  return element;
}

const number = (value) => String(Math.round(value * 100) / 100);

function blend(first, second, share) {
  const channel = (colour, i) => parseInt(colour.slice(1 + 2 * i, 3 + 2 * i), 16);
  return "#" + [0, 1, 2].map((i) => Math.round(channel(first, i) + (channel(second, i) - channel(first, i)) * share)
    .toString(16).padStart(2, "0")).join("").toUpperCase();
}

function contrast(first, second) {
  const light = (colour) => [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => {
    const c = parseInt(colour.slice(1 + 2 * i, 3 + 2 * i), 16) / 255;
    return sum + weight * (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  }, 0);
  const [low, high] = [light(first), light(second)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

// Colours of a card: of its kind, or of its place on the heat ramp.
function swatch(theme, card, heat) {
  if (!heat || card.kind === "io") {
    const [fill, stroke, title, detail] = theme.swatches[card.kind] || theme.swatches.shape;
    return { fill, stroke, title, detail };
  }
  return heated(theme, heat.greatest ? Math.sqrt(heat.value(card) / heat.greatest) : 0);
}

function heated(theme, share) {
  const position = Math.min(Math.max(share, 0), 1) * (theme.heat.length - 1);
  const low = Math.min(Math.floor(position), theme.heat.length - 2);
  const fill = blend(theme.heat[low], theme.heat[low + 1], position - low);
  const text = contrast(theme.heatDark, fill) >= contrast(theme.heatLight, fill) ? theme.heatDark : theme.heatLight;
  return { fill, stroke: blend(fill, text, 0.45), title: text, detail: text };
}

function write(label, theme, parent, colour) {
  const colours = { heading: theme.heading, frame: theme.text, title: theme.text, pill: theme.pillText };
  const attributes = { x: number(label.x), y: number(label.y), "font-size": label.size,
    fill: colour || colours[label.role] || theme.muted };
  if (label.bold) attributes["font-weight"] = 700;
  if (label.anchor !== "start") attributes["text-anchor"] = label.anchor;
  return svg("text", attributes, parent, label.text);
}

function rect(box, radius, fill, stroke, parent, width) {
  const attributes = { x: number(box.x), y: number(box.y), width: number(box.width), height: number(box.height),
    rx: radius, fill };
  if (stroke) attributes.stroke = stroke;
  if (width) attributes["stroke-width"] = width;
  return svg("rect", attributes, parent);
}

// A way through points with rounded corners.
function rounded(points, radius) {
  const toward = ([x0, y0], [x1, y1], length) => {
    const span = Math.hypot(x1 - x0, y1 - y0);
    const share = span ? length / span : 0;
    return [x0 + (x1 - x0) * share, y0 + (y1 - y0) * share];
  };
  const far = (a, b) => Math.hypot(b[0] - a[0], b[1] - a[1]);
  let path = "M" + points[0].map(number).join(" ");
  for (let i = 1; i < points.length; i++) {
    const [before, corner, after] = [points[i - 1], points[i], points[i + 1]];
    if (!after) { path += "L" + corner.map(number).join(" "); continue; }
    const reach = Math.min(radius, far(before, corner) / (i === 1 ? 1 : 2), far(corner, after) / (i + 2 === points.length ? 1 : 2));
    path += "L" + toward(corner, before, reach).map(number).join(" ");
    path += "Q" + [...corner, ...toward(corner, after, reach)].map(number).join(" ");
  }
  return path;
}

function drawEdge({ points, way, arrow }, theme, parent) {
  const [colour, width] = way === "skip" ? [theme.skip, 1.9] : [theme.edge, 1.3];
  const last = points[points.length - 1];
  const before = points[points.length - 2];
  const length = Math.hypot(last[0] - before[0], last[1] - before[1]) || 1;
  const [dx, dy] = [(last[0] - before[0]) / length, (last[1] - before[1]) / length];
  const neck = arrow ? [last[0] - dx * 6, last[1] - dy * 6] : last;
  svg("path", { d: rounded([...points.slice(0, -1), neck], 8), fill: "none", stroke: colour, "stroke-width": width }, parent);
  if (!arrow) return;
  const back = [last[0] - dx * 7, last[1] - dy * 7];
  const corners = [last, [back[0] - dy * 3.3, back[1] + dx * 3.3], [back[0] + dy * 3.3, back[1] - dx * 3.3]];
  svg("path", { d: "M" + corners.map((p) => p.map(number).join(" ")).join("L") + "Z", fill: colour }, parent);
}

function drawChevron({ x, y, open }, colour, parent) {
  const points = open ? [[0, -2], [4, 2], [8, -2]] : [[2, -4], [6, 0], [2, 4]];
  const hit = svg("g", { "data-toggle": "", cursor: "pointer" }, parent);
  svg("rect", { x: number(x - 4), y: number(y - 9), width: 18, height: 18, fill: "transparent" }, hit);
  svg("path", { d: "M" + points.map(([px, py]) => `${number(x + px)} ${number(y + py)}`).join("L"), fill: "none",
    stroke: colour, "stroke-width": 1.6, "stroke-linejoin": "round", "stroke-linecap": "round" }, hit);
}

function drawFrame({ frame, box, labels, chevron, pill, level }, theme, parent) {
  const folded = frame.times > 1;
  const fill = folded ? theme.folded : level % 2 ? theme.inner : theme.frame;
  const stroke = folded ? theme.foldedStroke : level % 2 ? theme.innerStroke : theme.frameStroke;
  const group = svg("g", { "data-id": frame.id }, parent);
  svg("title", {}, group, tip(frame));
  for (const step of folded ? [2, 1] : []) {
    rect({ ...box, x: box.x + 3.5 * step, y: box.y - 3.5 * step }, 8, fill, stroke, group);
  }
  rect(box, 8, fill, stroke, group);
  if (pill) {
    const hit = svg("g", { "data-roll": "", cursor: "pointer" }, group);
    svg("title", {}, hit, folded ? `Show all ${frame.times}` : "Show one for all");
    rect(pill, 8, folded ? theme.pill : theme.muted, null, hit);
    write(labels[labels.length - 1], folded ? theme : { ...theme, pillText: theme.background }, hit);
  }
  (pill ? labels.slice(0, -1) : labels).forEach((label) => write(label, theme, group));
  drawChevron(chevron, theme.muted, group);
  return group;
}

function drawCard({ card, box, labels }, theme, heat, parent) {
  const colours = swatch(theme, card, heat);
  const group = svg("g", { "data-id": card.id }, parent);
  svg("title", {}, group, tip(card));
  for (const step of card.repeat > 1 ? [2, 1] : []) {
    rect({ ...box, x: box.x + 3.5 * step, y: box.y - 3.5 * step }, 6, colours.fill, colours.stroke, group);
  }
  if (card.sign) {
    drawSign(card, box, colours, group);
  } else {
    rect(box, 6, colours.fill, colours.stroke, group);
    const [x, y, r, h] = [box.x, box.y, 6, box.height];
    svg("path", { d: `M${number(x + r)} ${number(y)}Q${number(x)} ${number(y)} ${number(x)} ${number(y + r)}V${number(y + h - r)}`
      + `Q${number(x)} ${number(y + h)} ${number(x + r)} ${number(y + h)}Z`, fill: colours.stroke }, group);
  }
  for (const label of labels) {
    if (label.role === "pill") {
      const width = measure(label.text, label.size, true);
      const pill = { x: label.x - width / 2 - 6, y: label.y - 11.5, width: width + 12, height: 15 };
      const hit = svg("g", card.frame ? { "data-roll": "", cursor: "pointer" } : {}, group);
      rect(pill, 7.5, theme.pill, null, hit);
      write(label, theme, hit);
    } else {
      write(label, theme, group, label.role === "title" ? colours.title : colours.detail);
    }
  }
  if (card.chevron && card.closed) drawChevron(card.chevron, colours.title, group);
  return group;
}

function drawSign(card, box, colours, parent) {
  const r = box.height / 2;
  const [x, y] = [box.x + r, box.y + r];
  const arm = r * (card.parts ? 0.38 : 0.45);
  rect(box, r, colours.fill, colours.stroke, parent, 1.4);
  if (card.parts) svg("circle", { cx: number(x), cy: number(y), r: r - 4, fill: "none", stroke: colours.stroke, "stroke-width": 1.2 }, parent);
  const d = card.sign === "+" ? arm : arm * 0.78;
  const strokes = card.sign === "+" ? [[-d, 0, d, 0], [0, -d, 0, d]] : [[-d, -d, d, d], [-d, d, d, -d]];
  for (const [x0, y0, x1, y1] of strokes) {
    svg("path", { d: `M${number(x + x0)} ${number(y + y0)}L${number(x + x1)} ${number(y + y1)}`, stroke: colours.title, "stroke-width": 2 }, parent);
  }
}

function tip(element) {
  const times = (element.times || element.repeat) > 1 ? ` ×${element.times || element.repeat}` : "";
  return [element.name + times, element.type === "frame" ? element.block : element.title, element.parts, element.figures]
    .filter(Boolean).join(" · ");
}

// The whole picture: heading, scene, legend.  Returns the groups by element, for selecting.
function drawScene(scene, theme, heat, root) {
  root.replaceChildren();
  const groups = new Map();
  const places = new Map();
  const layer = () => svg("g", {}, root);
  const [frames, ways, cards, words] = [layer(), layer(), layer(), layer()];
  for (const placed of scene.frames) {
    groups.set(placed.frame.id, drawFrame(placed, theme, frames));
    places.set(placed.frame.id, placed.box);
  }
  for (const way of ["main", "skip"]) {
    scene.edges.filter((one) => one.way === way).forEach((one) => drawEdge(one, theme, ways));
  }
  for (const [x, y] of scene.dots) svg("circle", { cx: number(x), cy: number(y), r: 2.6, fill: theme.edge }, ways);
  for (const placed of scene.cards) {
    groups.set(placed.card.id, drawCard(placed, theme, heat, cards));
    places.set(placed.card.id, placed.box);
  }
  for (const label of scene.labels) if (label.text) write(label, theme, words);
  heading(theme, words);
  legend(scene, theme, heat, words);
  return { groups, places };
}

const HEAD = 56; // height of title and totals

function heading(theme, parent) {
  const y = SPACE.around + 16;
  write({ ...label(SPACE.around, y, DATA.title, "heading", { bold: true }) }, theme, parent);
  write(label(SPACE.around, y + 20, DATA.subtitle, "subheading"), theme, parent);
}

function legend(scene, theme, heat, parent) {
  const entries = [];
  if (heat) {
    heat.words.forEach((text, i) => entries.push([{ heat: i / 2 }, i ? text : `${heat.title}: ${text}`]));
  } else {
    const kinds = new Set(scene.cards.map(({ card }) => card.kind));
    for (const [kind, words] of Object.entries(DATA.kinds)) if (kind !== "io" && kinds.has(kind)) entries.push([{ kind }, words]);
  }
  if (scene.edges.some((one) => one.way === "skip")) entries.push([{ skip: true }, "Skip connection"]);
  if (scene.frames.some(({ frame }) => frame.times > 1) || scene.cards.some(({ card }) => card.repeat > 1)) {
    entries.push([{ folded: true }, "×N: N equal blocks in a row"]);
  }
  let x = SPACE.around;
  let y = scene.foot - 4;
  for (const [sample, words] of entries) {
    const need = 24 + measure(words, SIZE.legend) + 18;
    if (x > SPACE.around && x + need > Math.max(scene.width, 420)) { x = SPACE.around; y += 20; }
    const box = { x, y, width: 17, height: 12 };
    if (sample.skip) svg("path", { d: `M${number(x)} ${number(y + 6)}H${number(x + 17)}`, stroke: theme.skip, "stroke-width": 1.9 }, parent);
    else if (sample.folded) {
      rect({ x: x + 3, y: y - 2, width: 14, height: 11 }, 3, theme.folded, theme.foldedStroke, parent);
      rect({ x, y: y + 1, width: 14, height: 11 }, 3, theme.folded, theme.foldedStroke, parent);
    } else {
      const colours = sample.kind ? swatch(theme, { kind: sample.kind }) : heated(theme, sample.heat);
      rect(box, 3, colours.fill, colours.stroke, parent);
      rect({ ...box, width: 4 }, 2, colours.stroke, null, parent);
    }
    write(label(x + 24, y + 10, words, "legend"), theme, parent);
    x += need;
  }
  scene.height = y + 16 + SPACE.around;
  scene.width = Math.max(scene.width, 440, SPACE.around * 2 + measure(DATA.title, SIZE.heading, true),
    SPACE.around * 2 + measure(DATA.subtitle, SIZE.subheading));
}
