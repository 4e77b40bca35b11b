"use strict";
// What is known of the selected layers, each figure with the formula that gives it.

function tag(name, parent, text, attributes = {}) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  Object.assign(element, attributes);
  if (parent) parent.append(element);
  return element;
}

function showDetails(element, layer, goTo) {
  const root = document.getElementById("details");
  root.replaceChildren();
  root.scrollTop = 0;
  if (!element) {
    tag("h2", root, DATA.title);
    if (DATA.source) tag("p", root, DATA.source);
    tag("p", root, "Select a card or a row to see how its figures come about.");
    return;
  }
  const scope = element.type === "frame" || element.closed;
  if (scope && !layer) {
    scopeDetails(root, element.frame || element);
    return;
  }
  const nodes = layer ? [layer] : element.nodes.map((node) => LAYERS[node]);
  if (!nodes.length) {
    tag("h2", root, element.title);
    tag("p", root, element.parts);
    return;
  }
  if (nodes.length > 1) {
    tag("h2", root, element.name);
    tag("p", root, [element.title, element.parts].filter(Boolean).join(" · "));
  }
  nodes.forEach((node) => layerDetails(root, node, nodes.length > 1 ? "h3" : "h2", goTo));
}

function figure(table, name, value, why) {
  const row = tag("tr", table);
  tag("th", row, name, { scope: "row" });
  const cell = tag("td", row);
  tag("b", cell, value);
  const plain = (text) => text.replace(/[\s,]/g, "");
  if (why && plain(why) !== plain(value)) tag("small", cell, `= ${why}`);
}

function layerDetails(root, layer, heading, goTo) {
  const { type } = layer;
  tag(heading, root, layer.name);
  const call = tag("p", root);
  tag("code", call, type.op);
  const table = tag("table", root);
  const why = type.why || {};
  if (layer.sources.length) {
    const row = tag("tr", table);
    tag("th", row, "Reads", { scope: "row" });
    const cell = tag("td", row);
    layer.sources.forEach((source, i) => {
      if (i) cell.append(", ");
      const link = tag("a", cell, LAYERS[source].name, { tabIndex: 0 });
      link.setAttribute("role", "link");
      link.addEventListener("click", () => goTo(LAYERS[source]));
      link.addEventListener("keydown", (event) => { if (event.key === "Enter") goTo(LAYERS[source]); });
      cell.append(` (${DATA.shapes[type.in[i] ?? type.in[0]]})`);
    });
  }
  figure(table, "Output", DATA.shapes[type.out], why.shape);
  if (!type.why) return;
  figure(table, "Parameters", grouped(type.params), why.params);
  if (type.buffers) figure(table, "Buffers", grouped(type.buffers), "");
  figure(table, "MACs", type.macs === null ? "cannot be counted" : grouped(type.macs), why.macs);
  figure(table, "FLOPs", type.flops === null ? "cannot be counted" : grouped(type.flops), why.flops);
  const elements = DATA.shapes[type.out];
  figure(table, "Output memory", binary(type.memory), type.memory ? `${elements} × 4 B` : "the input's own");
  figure(table, "Receptive field", layer.field === null ? "the whole input" : `${fieldText(layer.field)} px`, "");
  if (layer.seconds !== null && layer.seconds !== undefined) figure(table, "Latency", seconds(layer.seconds), "");
}

function scopeDetails(root, frame) {
  const folded = frame.times > 1;
  tag("h2", root, folded ? `${frame.name} and ${frame.times - 1} equal to it` : frame.name);
  tag("p", root, [frame.block, `${grouped(frame.layers)} layers${folded ? " each" : ""}`, `${frame.from} → ${frame.shape}`]
    .filter(Boolean).join(" · "));
  const table = tag("table", root);
  const layers = frame.nodes.map((node) => LAYERS[node]);
  const sum = (key) => layers.reduce((total, layer) => total + (layer.type[key] ?? 0), 0);
  const parts = partsOf(frame.body);
  const why = (key) => {
    const terms = parts.map(({ element, times }) => [times, element.nodes.reduce((total, node) => total + (LAYERS[node].type[key] ?? 0), 0)])
      .filter(([, value]) => value);
    if (terms.length < 2) return "";
    return terms.length > 16 ? `sum over ${terms.length} parts`
      : terms.map(([times, value]) => (times > 1 ? `${times} × ${grouped(value)}` : grouped(value))).join(" + ");
  };
  for (const [key, name] of [["params", "Parameters"], ["macs", "MACs"], ["flops", "FLOPs"]]) {
    const open = layers.some((layer) => layer.type[key] === null) ? "≥ " : "";
    figure(table, name, open + grouped(sum(key)), why(key));
    if (folded && sum(key)) figure(table, `all ${frame.times}`, open + grouped(frame.times * sum(key)), `${frame.times} × ${grouped(sum(key))}`);
  }
  figure(table, "Output memory", binary(sum("memory")), "");
}

// Cards and scopes right inside a scope, branches among them.
function partsOf(elements) {
  return elements.flatMap((element) => {
    if (element.branches) {
      return [...element.branches.flatMap((branch) => partsOf(branch.body)), ...(element.join ? partsOf([element.join]) : [])];
    }
    return [{ element, times: element.times || 1 }];
  });
}
