"use strict";
// Moving and zooming, by pointers and by keys, and what a click means.

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
