"use strict";
// Searching: the table narrows to what matches, the picture marks it, Enter goes from match to match.

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
