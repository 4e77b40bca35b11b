"use strict";
// Boxes with extents left and right of an axis, which put themselves into a scene: cards, stacks, columns, forks,
// frames.  The same rules as the static picture (archinspect/diagram/blocks).

const SPACE = {
  pad: 12, stripe: 5, lines: [16, 14, 13], margin: 6, thin: 26, pill: 26, stack: 3.5,
  gap: 27, arrow: 18, lane: 16, skip: 15, rail: 21, label: 6,
  framePad: 12, header: 22, headerLine: 13, port: 9, chevron: 14,
  gutter: 34, turn: 13, head: 24, leeway: 60, around: 24, panel: 48,
};
const SIZE = { title: 12.5, detail: 11, figures: 10, shape: 10, heading: 19, subheading: 13, legend: 11, pill: 11 };
const FAMILY = "Arial, Helvetica, 'Liberation Sans', Arimo, sans-serif";
const DROP = SPACE.arrow + 2;

const measure = (() => {
  const context = document.createElement("canvas").getContext("2d");
  const widths = new Map();
  return (text, size, bold = false) => {
    const key = (bold ? "b" : "r") + text;
    let width = widths.get(key);
    if (width === undefined) {
      context.font = `${bold ? "700 " : ""}100px ${FAMILY}`;
      width = context.measureText(text).width / 100;
      widths.set(key, width);
    }
    return width * size;
  };
})();

class CardBox {
  constructor(card) {
    this.card = card;
    this.arrow = true;
    this.out = 0;
    const { sign, parts, figures, repeat } = card;
    this.figures = sign ? "" : repeat > 1 && figures ? `each ${figures}` : figures;
    this.lines = 1 + (parts && !sign ? 1 : 0) + (this.figures ? 1 : 0);
    this.stack = repeat > 1 ? 2 * SPACE.stack : 0;
    this.badge = repeat > 1 ? measure(`×${repeat}`, SIZE.pill, true) + 22 : 0;
    this.handle = card.closed ? SPACE.chevron : 0;
    if (sign) {
      this.width = SPACE.pill + (parts ? measure(parts, SIZE.detail, true) + 8 : 0);
      this.body = SPACE.pill;
    } else {
      const widths = [
        measure(card.title, SIZE.title, true) + this.badge + this.handle, measure(parts, SIZE.detail),
        measure(this.figures, SIZE.figures),
      ];
      this.width = Math.max(...widths) + 2 * SPACE.pad + SPACE.stripe;
      this.text = SPACE.lines.slice(0, this.lines).reduce((a, b) => a + b, 0);
      this.body = this.lines === 1 ? SPACE.thin : 2 * SPACE.margin + this.text;
    }
    this.height = this.body + this.stack;
  }
  get left() { return this.width / 2; }
  get right() { return this.width / 2 + this.stack; }
  get stretches() { return !this.card.sign && this.card.kind !== "io"; }
  place(scene, x, y) {
    const box = { x: x - this.width / 2, y: y + this.stack, width: this.width, height: this.body };
    scene.cards.push({ card: this.card, box, labels: this.labels(box) });
  }
  labels(box) {
    const { card } = this;
    if (card.sign) {
      if (!card.parts) return [];
      const x = box.x + SPACE.pill + (this.width - SPACE.pill) / 2 - 3;
      return [label(x, box.y + SPACE.pill / 2 + 4, card.parts, "detail", { role: "title", bold: true, anchor: "middle" })];
    }
    const centre = box.x + SPACE.stripe + (box.width - SPACE.stripe) / 2;
    const labels = [];
    let y = box.y + (this.body - this.text) / 2;
    [[card.title, "title"], [card.parts, "detail"], [this.figures, "figures"]].filter(([text]) => text)
      .forEach(([text, role], i) => {
        y += SPACE.lines[i];
        const x = centre - (i ? 0 : (this.badge - this.handle) / 2);
        labels.push(label(x, y - 4, text, role, { bold: i === 0, anchor: "middle" }));
      });
    const half = measure(card.title, SIZE.title, true) / 2;
    if (card.closed) this.chevron = { x: labels[0].x - half - SPACE.chevron + 3, y: labels[0].y - 4.2, open: false };
    if (card.repeat > 1) {
      labels.push(label(labels[0].x + half + this.badge / 2 + 2, labels[0].y - 0.5, `×${card.repeat}`, "pill",
        { bold: true, anchor: "middle" }));
    }
    card.chevron = this.chevron;
    return labels;
  }
}

class Stack {
  constructor(boxes, shapes) {
    this.boxes = boxes;
    const io = boxes.map((box) => box instanceof CardBox && box.card.kind === "io");
    this.labels = shapes.map((shape, i) => (io[i] || io[i + 1] ? "" : shape));
    const cards = boxes.filter((box) => box instanceof CardBox && box.stretches);
    const widest = Math.max(0, ...cards.map((box) => box.width));
    cards.forEach((box) => { box.width = widest; });
    const room = Math.max(0, ...this.labels.slice(0, -1).map((text) => SPACE.label + measure(text, SIZE.shape)));
    this.left = Math.max(0, ...boxes.map((box) => box.left));
    this.right = Math.max(room, ...boxes.map((box) => box.right));
    this.height = boxes.reduce((sum, box, i) => sum + box.height + (i + 1 < boxes.length ? gapBelow(box) : 0), 0);
    this.arrow = boxes.length ? boxes[0].arrow : false;
    this.out = boxes.length ? boxes[boxes.length - 1].out : 0;
  }
  get stack() { return this.boxes.length ? topLift(this.boxes[0]) : 0; }
  place(scene, x, y, owner, level) {
    this.boxes.forEach((box, i) => {
      box.place(scene, x, y, owner, level);
      y += box.height;
      const after = this.boxes[i + 1];
      if (!after) return;
      const end = y + gapBelow(box);
      link(scene, x, y, end, this.labels[i], { arrow: after.arrow, lift: topLift(after), out: box.out });
      y = end;
    });
  }
}

class Columns {
  constructor(stacks, ends, framed) {
    Object.assign(this, { stacks, labels: ends });
    this.axes = [];
    let edge = 0;
    for (const stack of stacks) {
      this.axes.push(edge + stack.left);
      edge += stack.left + stack.right + SPACE.gutter;
    }
    this.left = this.axes[0];
    this.right = edge - SPACE.gutter - this.left;
    this.framed = framed;
    this.top = framed ? SPACE.head : 0;
    const heights = stacks.map((stack, i) => (i ? SPACE.head : this.top) + stack.height);
    this.height = Math.max(...heights, ...heights.slice(0, -1).map((height) => height + SPACE.turn));
    this.out = this.axes[stacks.length - 1] + stacks[stacks.length - 1].out - this.left;
    this.arrow = stacks[0].arrow && !this.top;
    this.stack = this.top ? 0 : stacks[0].stack;
  }
  place(scene, x, y, owner, level) {
    const left = x - this.left;
    if (this.top) {
      const first = this.stacks[0];
      scene.dots.push([x, y]);
      link(scene, x, y, y + this.top, "", { arrow: first.arrow, lift: first.stack });
    }
    this.stacks.forEach((stack, i) => {
      const at = left + this.axes[i];
      const top = y + (i ? SPACE.head : this.top);
      stack.place(scene, at, top, owner, level);
      const bottom = top + stack.height;
      const end = at + stack.out;
      const after = this.stacks[i + 1];
      if (after) {
        const gutter = at + stack.right + SPACE.gutter / 2;
        const goal = left + this.axes[i + 1];
        const low = bottom + SPACE.turn;
        edge(scene, [[end, bottom], [end, low], [gutter, low], [gutter, y], [goal, y], [goal, y + SPACE.head + after.stack]],
          "main", after.arrow);
        scene.labels.push(label(goal + SPACE.label, y + 15, this.labels[i], "shape"));
      } else if (this.framed && bottom < y + this.height) {
        edge(scene, [[end, bottom], [end, y + this.height]], "main", false);
      }
    });
  }
}

class Skips {
  constructor(lanes, start) {
    this.lanes = lanes;
    let edge = start;
    this.offsets = lanes.map((lane) => {
      edge += lane.boxes.length ? SPACE.lane : SPACE.skip;
      const offset = edge + lane.left;
      edge += lane.left + lane.right;
      return offset;
    });
    this.right = edge;
    this.height = Math.max(0, ...lanes.filter((lane) => lane.boxes.length)
      .map((lane) => DROP + lane.height + SPACE.arrow));
  }
  place(scene, x, y, join, owner, level) {
    this.lanes.forEach((lane, i) => {
      const at = x + this.offsets[i];
      if (!lane.boxes.length) {
        edge(scene, [[x, y], [at, y], [at, join[1]], join], "skip", true);
        return;
      }
      const top = y + Math.max(DROP, (join[1] - y - lane.height) / 2);
      edge(scene, [[x, y], [at, y], [at, top + lane.stack]], "skip", lane.arrow);
      lane.place(scene, at, top, owner, level);
      const end = at + lane.out;
      edge(scene, [[end, top + lane.height], [end, join[1]], join], "skip", true);
    });
  }
}

class Residual {
  constructor(main, lanes, join) {
    Object.assign(this, { main, join, arrow: false, out: 0 });
    this.skips = new Skips(lanes, Math.max(main.right, join.right));
    this.left = Math.max(main.left, join.left);
    this.right = this.skips.right;
    const below = SPACE.arrow + (main.out ? SPACE.turn : 0);
    this.path = Math.max(DROP + main.height + below, this.skips.height - join.body / 2, DROP + SPACE.arrow);
    this.height = this.path + join.height;
  }
  place(scene, x, y, owner, level) {
    const { main, join } = this;
    scene.dots.push([x, y]);
    const bottom = y + this.path;
    if (main.boxes.length) {
      const first = y + DROP;
      link(scene, x, y, first, "", { arrow: main.arrow, lift: main.stack });
      main.place(scene, x, first, owner, level);
      link(scene, x, first + main.height, bottom, "", { out: main.out });
    } else {
      link(scene, x, y, bottom, "");
    }
    join.place(scene, x, bottom, owner, level);
    this.skips.place(scene, x, y, [x + join.width / 2, bottom + join.body / 2], owner, level);
  }
}

class Parallel {
  constructor(lanes, ends, identities, join) {
    Object.assign(this, { lanes, join, labels: ends, arrow: false, out: 0 });
    let edge = 0;
    const centres = lanes.map((lane, i) => {
      const centre = edge + lane.left;
      edge = centre + Math.max(lane.right, lane.out + SPACE.label + measure(ends[i], SIZE.shape)) + SPACE.lane;
      return centre;
    });
    const middle = Math.floor(lanes.length / 2);
    const axis = lanes.length % 2 ? centres[middle] : (centres[middle - 1] + centres[middle]) / 2;
    this.centres = centres.map((centre) => centre - axis);
    this.left = Math.max(axis, join.left);
    this.skips = new Skips(Array.from({ length: identities }, () => new Stack([], [])),
      Math.max(edge - SPACE.lane - axis, join.right));
    this.right = this.skips.right;
    this.tallest = Math.max(...lanes.map((lane) => lane.height));
    this.path = DROP + this.tallest + SPACE.rail + SPACE.arrow;
    this.height = this.path + join.height;
  }
  place(scene, x, y, owner, level) {
    const { join } = this;
    scene.dots.push([x, y]);
    const rail = y + DROP + this.tallest + SPACE.rail;
    const bottom = y + this.path;
    this.lanes.forEach((lane, i) => {
      const at = x + this.centres[i];
      const top = y + DROP + this.tallest - lane.height;
      const start = [at, top + lane.stack];
      edge(scene, at === x ? [[x, y], start] : [[x, y], [at, y], start], "main", lane.arrow);
      lane.place(scene, at, top, owner, level);
      const low = top + lane.height;
      const exit = at + lane.out;
      edge(scene, exit === x ? [[exit, low], [x, bottom]] : [[exit, low], [exit, rail], [x, rail], [x, bottom]],
        "main", true);
      if (this.labels[i]) scene.labels.push(label(exit + SPACE.label, low + 12, this.labels[i], "shape"));
    });
    join.place(scene, x, bottom, owner, level);
    this.skips.place(scene, x, y, [x + join.width / 2, bottom + join.body / 2], owner, level);
  }
}

// A flow that is neither a sequence nor parallel: its parts in rows by the longest way to them.  A way to the next row
// turns between the two; a longer one runs down a lane at the right.
class NetBox {
  constructor(parts, links, ends) {
    Object.assign(this, { parts, links, ends, arrow: false });
    const rank = parts.map(() => 0);
    links.forEach(([source, target]) => { if (source >= 0) rank[target] = Math.max(rank[target], rank[source] + 1); });
    rank[parts.length - 1] = Math.max(...rank); // the way goes on from there
    this.rank = rank;
    this.rows = Array.from({ length: Math.max(...rank) + 1 }, () => []);
    rank.forEach((row, part) => this.rows[row].push(part));
    this.centres = parts.map(() => 0);
    const reach = [0, 0];
    for (const row of this.rows) {
      const pull = new Map(row.map((part) => [part, this.middle(part)]));
      row.sort((a, b) => pull.get(a) - pull.get(b) || a - b);
      const width = row.reduce((sum, part) => sum + this.room(part), (row.length - 1) * SPACE.lane);
      let edge = -width / 2;
      for (const part of row) {
        this.centres[part] = row.length === 1 ? 0 : edge + parts[part].left;
        edge += this.room(part) + SPACE.lane;
        reach[0] = Math.max(reach[0], parts[part].left - this.centres[part]);
        reach[1] = Math.max(reach[1], this.centres[part] + this.room(part) - parts[part].left);
      }
    }
    this.lanes = [...new Set(links.filter(([source, target]) => this.rankOf(source) + 1 < rank[target]).map(([source]) => source))];
    this.left = reach[0];
    this.lane = reach[1];
    this.right = reach[1] + this.lanes.length * SPACE.skip;
    // Above each row one track for each value that turns there.
    this.tracks = this.rows.map(() => []);
    const turns = (row, source) => { if (!this.tracks[row].includes(source)) this.tracks[row].push(source); };
    links.forEach(([source, target]) => { turns(rank[target], source); turns(this.rankOf(source) + 1, source); });
    this.tops = [];
    let y = 0;
    this.rows.forEach((row, i) => {
      y += SPACE.gap + 7 * this.tracks[i].length;
      this.tops.push(y);
      y += Math.max(...row.map((part) => parts[part].height));
    });
    this.height = y;
    const last = parts.length - 1;
    this.out = this.centres[last] + parts[last].out;
  }
  rankOf(source) { return source < 0 ? -1 : this.rank[source]; }
  room(part) {
    const { left, right, out } = this.parts[part];
    return left + Math.max(right, out + SPACE.label + measure(this.ends[part], SIZE.shape));
  }
  middle(part) {
    const sources = this.links.filter(([source, target]) => target === part && source >= 0).map(([source]) => source);
    return sources.length ? sources.reduce((sum, source) => sum + this.centres[source], 0) / sources.length : 0;
  }
  track(row, source, y) {
    const count = this.tracks[row].length;
    return y + this.tops[row] - SPACE.arrow - 7 * (count - 1 - this.tracks[row].indexOf(source));
  }
  place(scene, x, y, owner, level) {
    if (this.links.some(([source]) => source < 0)) scene.dots.push([x, y]);
    // Parts of one row stand on its floor, so that what comes out of them turns below all of them.
    const floor = this.rows.map((row, i) => y + this.tops[i] + Math.max(...row.map((part) => this.parts[part].height)));
    const top = this.parts.map((part, i) => floor[this.rank[i]] - part.height);
    this.links.forEach(([source, target]) => {
      const goal = this.parts[target];
      const start = source < 0 ? [x, y] : [x + this.centres[source] + this.parts[source].out, floor[this.rank[source]]];
      const end = [x + this.centres[target], top[target] + goal.stack];
      const low = this.track(this.rank[target], source, y);
      const turn = this.track(this.rankOf(source) + 1, source, y);
      const aside = this.lanes.indexOf(source);
      const near = this.rankOf(source) + 1 === this.rank[target];
      const way = near ? [[start[0], turn], [end[0], turn]]
        : [[start[0], turn], [x + this.lane + SPACE.skip * (aside + 1), turn],
          [x + this.lane + SPACE.skip * (aside + 1), low], [end[0], low]];
      edge(scene, start[0] === end[0] && near ? [start, end] : [start, ...way, end], near ? "main" : "skip", goal.arrow);
    });
    this.parts.forEach((part, i) => {
      part.place(scene, x + this.centres[i], top[i], owner, level);
      const end = x + this.centres[i] + part.out;
      if (this.ends[i] && i + 1 < this.parts.length) {
        scene.labels.push(label(end + SPACE.label, floor[this.rank[i]] + 12, this.ends[i], "shape"));
      }
    });
  }
}

class SideWays {
  constructor(lanes, around) {
    this.skips = new Skips(lanes, around);
    Object.assign(this, { arrow: false, out: 0, left: 0, right: this.skips.right });
    this.height = this.skips.height - SPACE.arrow + 4;
  }
  place(scene, x, y, owner, level) {
    scene.dots.push([x, y]);
    link(scene, x, y, y + this.height, "", { arrow: false });
    this.skips.lanes.forEach((lane, i) => {
      const at = x + this.skips.offsets[i];
      edge(scene, [[x, y], [at, y], [at, y + DROP]], "main", lane.arrow);
      lane.place(scene, at, y + DROP, owner, level);
    });
  }
}

class FrameBox {
  constructor(frame, inner) {
    Object.assign(this, { frame, inner, arrow: true, out: inner.out });
    const folded = frame.times > 1;
    this.stack = folded ? 2 * SPACE.stack : 0;
    this.pillText = folded ? `×${frame.times}` : frame.member;
    this.pill = this.pillText ? measure(this.pillText, SIZE.pill, true) + 14 : 0;
    this.figures = folded && frame.figures ? `each ${frame.figures}` : frame.figures;
    this.left = inner.left + SPACE.framePad;
    const content = inner.left + inner.right + 2 * SPACE.framePad;
    const name = SPACE.chevron + measure(frame.title, SIZE.title, true)
      + (frame.block ? 8 + measure(frame.block, SIZE.detail) : 0);
    const first = name + (this.pill ? this.pill + 8 : 0);
    const last = measure(this.figures, SIZE.figures);
    this.single = !this.figures || first + last + 14 + 2 * SPACE.framePad <= content;
    const need = first + (this.single && this.figures ? last + 14 : 0);
    this.width = Math.max(content, Math.max(need, last) + 2 * SPACE.framePad);
    this.header = SPACE.header + (this.single ? 0 : SPACE.headerLine);
    this.port = inner.arrow ? SPACE.port + SPACE.arrow : SPACE.port;
    this.height = this.header + this.port + inner.height + SPACE.framePad + this.stack;
  }
  get right() { return this.width - this.left + this.stack; }
  place(scene, x, y, owner, level) {
    const box = { x: x - this.left, y: y + this.stack, width: this.width, height: this.height - this.stack };
    scene.frames.push({ frame: this.frame, box, header: this.header, level, ...this.words(box) });
    const start = box.y + this.header + SPACE.port;
    const first = box.y + this.header + this.port;
    if (this.inner.arrow) {
      scene.dots.push([x, start]);
      link(scene, x, start, first, "", { lift: topLift(this.inner) });
    }
    this.inner.place(scene, x, first, this.frame, level + 1);
    const end = x + this.out;
    edge(scene, [[end, first + this.inner.height], [end, box.y + box.height]], "main", false);
  }
  words(box) {
    const { frame } = this;
    const base = box.y + 16.5;
    const x = box.x + SPACE.framePad + SPACE.chevron;
    const labels = [label(x, base, frame.title, "frame", { size: "title", bold: true })];
    if (frame.block) {
      labels.push(label(x + measure(frame.title, SIZE.title, true) + 8, base, frame.block, "block", { size: "detail" }));
    }
    if (this.figures && this.single) {
      const end = box.x + box.width - SPACE.framePad - (this.pill ? this.pill + 8 : 0);
      labels.push(label(end, base, this.figures, "figures", { anchor: "end" }));
    } else if (this.figures) {
      labels.push(label(box.x + SPACE.framePad, base + SPACE.headerLine, this.figures, "figures"));
    }
    const chevron = { x: box.x + SPACE.framePad - 1, y: base - 4.2, open: true };
    if (!this.pill) return { labels, chevron };
    const pill = { x: box.x + box.width - SPACE.framePad + 4 - this.pill, y: box.y + 4.5, width: this.pill, height: 16 };
    labels.push(label(pill.x + this.pill / 2, pill.y + 12, this.pillText, "pill", { bold: true, anchor: "middle" }));
    return { labels, chevron, pill };
  }
}

function label(x, y, text, role, { size = role, bold = false, anchor = "start" } = {}) {
  return { x, y, text, role, size: SIZE[size], bold, anchor };
}
function edge(scene, points, way, arrow) { scene.edges.push({ points, way, arrow }); }
function topLift(box) { return box.stack || 0; }
function gapBelow(box) { return SPACE.gap + (box.out ? SPACE.turn : 0); }

function link(scene, x, start, end, text, { arrow = true, lift = 0, out = 0 } = {}) {
  if (out) {
    const turn = start + SPACE.turn;
    edge(scene, [[x + out, start], [x + out, turn], [x, turn], [x, end + lift]], "main", arrow);
    start = turn;
  } else {
    edge(scene, [[x, start], [x, end + lift]], "main", arrow);
  }
  if (text) {
    const middle = (start + end - (arrow ? 4 : 0)) / 2;
    scene.labels.push(label(x + SPACE.label, middle + SIZE.shape * 0.36, text, "shape"));
  }
}
