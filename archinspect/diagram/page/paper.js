"use strict";
// Saving what is shown as SVG, and printing it with the table.

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
