"use strict";
// Places: from elements, as they are folded now, to boxes; in the browser, because folding changes the layout.

function wrap(boxes, shapes, limit, framed) {
  const whole = boxes.reduce((sum, box, i) => sum + box.height + (i + 1 < boxes.length ? gapBelow(box) : 0), 0);
  if (whole <= limit || boxes.length < 2) return new Stack(boxes, shapes);
  const tallest = Math.max(...boxes.map((box) => box.height));
  let [low, high] = [tallest, Math.max(limit, tallest)];
  const count = splitInto(boxes, high).length;
  for (let i = 0; i < 24; i++) {
    const middle = (low + high) / 2;
    if (splitInto(boxes, middle).length <= count) high = middle; else low = middle;
  }
  const parts = splitInto(boxes, high);
  if (parts.length < 2) return new Stack(boxes, shapes);
  const stacks = parts.map((part) => new Stack(part.map((i) => boxes[i]), part.map((i) => shapes[i])));
  return new Columns(stacks, parts.map((part) => shapes[part[part.length - 1]]), framed);
}

function splitInto(boxes, limit) {
  const parts = [[]];
  let height = 0;
  boxes.forEach((box, i) => {
    let part = parts[parts.length - 1];
    let more = box.height + (part.length ? gapBelow(boxes[i - 1]) : 0);
    const closes = box instanceof CardBox && box.card.kind === "pooling";
    if (part.length && height + more > limit && !(closes && height + more < limit + SPACE.leeway)) {
      parts.push(part = []);
      height = 0;
      more = box.height;
    }
    part.push(i);
    height += more;
  });
  return parts;
}

function sequence(elements, limit, framed = false) {
  const boxes = elements.map((element) => (element.type === "side" ? null : boxOf(element, limit)));
  const around = Math.max(0, ...boxes.filter((box) => box instanceof CardBox || box instanceof FrameBox)
    .map((box) => box.right));
  elements.forEach((element, i) => {
    if (element.type === "side") boxes[i] = new SideWays(element.branches.map((b) => lane(b, limit)), around);
  });
  return wrap(boxes, elements.map((element) => element.shape), limit, framed);
}

function boxOf(element, limit) {
  if (element.type === "card") return new CardBox(element);
  if (element.type === "fork") return forkBox(element, limit);
  if (element.type === "net") {
    const ends = element.branches.map((branch) => branch.body[branch.body.length - 1].shape);
    return new NetBox(element.branches.map((branch) => lane(branch, limit)), element.links, ends);
  }
  if (!element.open) return new CardBox(element.card);
  return new FrameBox(element, sequence(shownIn(element), limit, true));
}

function forkBox(fork, limit) {
  const join = new CardBox(fork.join);
  const ways = fork.branches.filter((branch) => branch.body.length);
  const identities = fork.branches.length - ways.length;
  const bySize = [...ways].sort((a, b) => shownCards(b.body) - shownCards(a.body));
  const sizes = bySize.map((branch) => shownCards(branch.body));
  if (ways.length > 1 && (fork.join.title === "Concat" || 2 * sizes[1] > sizes[0])) {
    const ends = ways.map((branch) => branch.body[branch.body.length - 1].shape);
    return new Parallel(ways.map((branch) => lane(branch, limit)), ends, identities, join);
  }
  const main = bySize.length ? lane(bySize[0], limit) : new Stack([], []);
  const empty = bySize.length ? identities : identities - 1;
  const others = bySize.slice(1).map((branch) => lane(branch, limit));
  return new Residual(main, [...others, ...Array.from({ length: empty }, () => new Stack([], []))], join);
}

function lane(branch, limit) {
  const body = expanded(branch.body);
  return new Stack(body.map((element) => boxOf(element, limit)), body.map((element) => element.shape));
}

function shownCards(elements) {
  return elements.reduce((sum, element) => {
    if (element.type === "card" || (element.type === "frame" && !element.open)) return sum + 1;
    if (element.type === "frame") return sum + shownCards(element.body);
    return sum + element.branches.reduce((n, branch) => n + shownCards(branch.body), element.type === "fork" ? 1 : 0);
  }, 0);
}

// A frame that stands for N equal ones is drawn once with ×N, or as its N members when it is unrolled.
function expanded(elements) {
  return elements.some((element) => element.unrolled)
    ? elements.flatMap((element) => (element.unrolled ? members(element) : [element])) : elements;
}
function shownIn(frame) { return expanded(frame.body); }

function layOut(panels, limit, head) {
  const scene = { frames: [], edges: [], dots: [], cards: [], labels: [] };
  let x = SPACE.around;
  let height = 0;
  for (const panel of panels) {
    const box = sequence(expanded(panel.body), limit);
    box.place(scene, x + box.left, SPACE.around + head, null, 0);
    x += box.left + box.right + SPACE.panel;
    height = Math.max(height, box.height);
  }
  scene.width = x - SPACE.panel + SPACE.around;
  scene.foot = height + head + 2 * SPACE.around; // where the legend begins
  return scene;
}

const LIMITS = [450, 600, 750, 850, 950, 1100, 1300, 1600, 2000, 2500, 3200];

// The height of columns that lets the picture be as large as possible in a room.
function bestLimit(panels, room, head) {
  let best = null;
  for (const limit of LIMITS) {
    const boxes = panels.map((panel) => sequence(expanded(panel.body), limit));
    const width = boxes.reduce((sum, box) => sum + box.left + box.right + SPACE.panel, 2 * SPACE.around - SPACE.panel);
    const height = Math.max(...boxes.map((box) => box.height)) + head + 2 * SPACE.around;
    const scale = Math.min(room.width / width, room.height / height);
    if (!best || scale > best.scale) best = { limit, scale };
  }
  return best;
}
