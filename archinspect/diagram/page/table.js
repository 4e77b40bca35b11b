"use strict";
// The table of all layers.  Only the rows in sight are in the document, so that 5,000 scroll as well as 50.

const grouped = (value) => (value === null || value === undefined ? "?" : FORMAT.format(value));
function binary(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let i = -1;
  do { bytes /= 1024; i++; } while (bytes >= 1023.995 && i < units.length - 1);
  return `${bytes.toFixed(2)} ${units[i]}`;
}
function brief(count) {
  const units = ["", " k", " M", " G", " T", " P"];
  let power = 0;
  while (power < units.length - 1 && count * 2 >= 1999 * 1000 ** power) power++;
  return power ? String(Number((count / 1000 ** power).toPrecision(3))) + units[power] : String(count);
}
const seconds = (value) => (value === null || value === undefined ? "–" : `${(value * 1e3).toPrecision(3)} ms`);
const fieldText = (field) => (field === null ? "all" : Array.isArray(field) ? field.map((f) => f ?? "all").join("×") : grouped(field));

const COLUMNS = [
  { key: "name", title: "Layer", text: (l) => l.name, value: (l) => l.index, words: true },
  { key: "shape", title: "Output", text: (l) => DATA.shapes[l.type.out], value: (l) => DATA.shapes[l.type.out].split("×").reduce((a, b) => a * b, 1) },
  { key: "params", title: "Params", text: (l) => grouped(l.type.params ?? 0), value: (l) => l.type.params ?? 0 },
  { key: "macs", title: "MACs", text: (l) => grouped(l.type.macs === undefined ? 0 : l.type.macs), value: (l) => l.type.macs ?? (l.type.macs === null ? -1 : 0) },
  { key: "flops", title: "FLOPs", text: (l) => grouped(l.type.flops === undefined ? 0 : l.type.flops), value: (l) => l.type.flops ?? (l.type.flops === null ? -1 : 0) },
  { key: "memory", title: "Output memory", text: (l) => binary(l.type.memory ?? 0), value: (l) => l.type.memory ?? 0 },
  { key: "field", title: "Receptive field", text: (l) => fieldText(l.field), value: (l) => (l.field === null ? Infinity : [l.field].flat()[0]) },
  { key: "op", title: "Op", text: (l) => l.type.op.replace(/\(.*/, ""), value: (l) => l.type.op, words: true },
];
if (DATA.latency) COLUMNS.push({ key: "latency", title: "Latency", text: (l) => seconds(l.seconds), value: (l) => l.seconds ?? -1 });

class Table {
  constructor(onSelect, onOpen) {
    this.element = document.getElementById("table");
    this.body = document.getElementById("rows");
    this.spacer = document.getElementById("spacer");
    this.order = LAYERS;
    this.sort = { column: 0, down: false };
    this.selected = new Set();
    this.row = 24;
    this.header();
    this.element.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(this.element);
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row) onSelect(LAYERS[row.dataset.layer]);
    });
    this.body.addEventListener("dblclick", (event) => {
      const row = event.target.closest(".row");
      if (row) onOpen(LAYERS[row.dataset.layer]);
    });
    this.element.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15, Home: -Infinity, End: Infinity }[event.key];
      const at = this.order.findIndex((layer) => layer === this.current);
      if (step !== undefined && event.target === this.element && this.order.length) {
        event.preventDefault();
        onSelect(this.order[Math.min(Math.max(at + step, 0), this.order.length - 1)]);
      } else if (event.key === "Enter" && event.target === this.element && this.current) onOpen(this.current);
    });
  }
  header() {
    const head = document.getElementById("columns");
    const types = [...new Map(LAYERS.map((layer) => [layer.type, layer])).values()]; // one layer of each type
    this.widths = COLUMNS.map((column) => {
      const some = ["name", "field", "latency"].includes(column.key) ? LAYERS : types;
      const longest = some.reduce((best, layer) => { const text = column.text(layer); return text.length > best.length ? text : best; }, "");
      return Math.ceil(Math.max(Math.min(measure(longest, 12), 215), measure(column.title + " ↓", 12, true))) + 17;
    });
    this.grid = this.widths.map((width, i) => (i + 1 < COLUMNS.length ? `${width}px` : `minmax(${width}px,1fr)`)).join(" ");
    head.style.gridTemplateColumns = this.grid;
    COLUMNS.forEach((column, i) => {
      const cell = document.createElement("div");
      cell.setAttribute("role", "columnheader");
      if (column.words) cell.className = "text";
      const button = document.createElement("button");
      button.textContent = column.title;
      button.addEventListener("click", () => this.sortBy(i));
      cell.append(button);
      head.append(cell);
    });
  }
  sortBy(i) {
    const words = COLUMNS[i].words;
    if (this.sort.column === i && this.sort.down === !words) this.sort.down = !this.sort.down;
    else if (this.sort.column === i) this.sort = { column: 0, down: false };
    else this.sort = { column: i, down: !words };
    this.show(this.filtered);
  }
  show(layers = LAYERS) {
    this.filtered = layers;
    const { value } = COLUMNS[this.sort.column];
    const sign = this.sort.down ? -1 : 1;
    this.order = [...layers].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      return (x < y ? -sign : x > y ? sign : 0) || a.index - b.index;
    });
    this.element.setAttribute("aria-rowcount", this.order.length + 1);
    [...document.getElementById("columns").children].forEach((cell, i) => {
      if (i === this.sort.column) cell.setAttribute("aria-sort", this.sort.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
    this.spacer.style.height = `${this.order.length * this.row}px`;
    this.spacer.style.width = `${this.widths.reduce((a, b) => a + b, 0)}px`;
    this.draw();
  }
  draw() {
    const top = Math.max(0, Math.floor(this.element.scrollTop / this.row) - 8);
    const end = Math.min(this.order.length, top + Math.ceil(this.element.clientHeight / this.row) + 16);
    const rows = [];
    for (let i = top; i < end; i++) rows.push(this.rowOf(this.order[i], i));
    this.body.replaceChildren(this.spacer, ...rows);
  }
  rowOf(layer, i) {
    const row = document.createElement("div");
    row.className = this.selected.has(layer.index) ? "row selected" : "row";
    row.setAttribute("role", "row");
    row.setAttribute("aria-rowindex", i + 2);
    row.setAttribute("aria-selected", this.selected.has(layer.index));
    row.dataset.layer = layer.index;
    row.style.top = `${i * this.row}px`;
    row.style.gridTemplateColumns = this.grid;
    for (const column of COLUMNS) {
      const cell = document.createElement("span");
      cell.setAttribute("role", "gridcell");
      cell.textContent = column.text(layer);
      if (column.words) cell.className = "text";
      if (column.words) cell.title = column.key === "op" ? layer.type.op : layer.name;
      row.append(cell);
    }
    return row;
  }
  select(layers, current, scroll = true) {
    this.selected = new Set(layers);
    this.current = current;
    const at = this.order.indexOf(current);
    if (scroll && at >= 0) {
      const y = at * this.row;
      const room = this.element.clientHeight - 31;
      const top = this.element.scrollTop;
      if (y < top || y + this.row > top + room) this.element.scrollTop = Math.abs(y - top) < 2 * room ? (y < top ? y : y + this.row - room) : y - room / 3;
    }
    this.draw();
  }
}
