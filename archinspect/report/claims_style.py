"""The look of the page of judged claims, on screen, in the dark and in print."""

from __future__ import annotations

CSS = """
:root { --ink: #1c2530; --soft: #5b6774; --line: #d5dbe1; --paper: #fff; --tip: #1c2530; --tipink: #fff;
  --exact: #e3f3e6; --rounded: #eef3d6; --slip: #fbd9d7; --carried: #fde6cf; --contradiction: #ecdcf6;
  --differs: #d9e6fb; --cited: #eceff2; --refuted: #f6dde6; --up: #3a7d5d; --down: #b4483f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9ee; --soft: #9aa7b4; --line: #3a444e; --paper: #14191f;
  --tip: #e4e9ee; --tipink: #14191f; --exact: #1e3a27; --rounded: #33391c; --slip: #5a2724; --carried: #553a1d;
  --contradiction: #43305a; --differs: #24385c; --cited: #2a323a; --refuted: #55293b; --up: #6cc095;
  --down: #e0837b; } }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 6rem; }
h1 { font-size: 1.7rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.4rem 0 .6rem; }
.source, small, .remarks { color: var(--soft); font-size: .88rem; }
small { display: block; }
table { border-collapse: collapse; margin: .8rem 0; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 0 0 .3rem; }
th, td { border: 1px solid var(--line); padding: .28rem .6rem; text-align: left; vertical-align: top; }
th { font-weight: 650; } .right { text-align: right; }
.key td { border: 0; padding: .12rem .6rem; font-size: .9rem; }
blockquote { margin: .5rem 0; padding: .1rem 0 .1rem .8rem; border-left: 3px solid var(--line); }
.v-exact { background: var(--exact); } .v-rounded { background: var(--rounded); }
.v-slip { background: var(--slip); } .v-carried { background: var(--carried); }
.v-contradiction { background: var(--contradiction); } .v-differs { background: var(--differs); }
.v-cited { background: var(--cited); } .v-refuted { background: var(--refuted); }
.n { position: relative; cursor: help; border-radius: .2rem; padding: 0 .15rem; }
td > .n { background: none; }
.n:focus { outline: 2px solid currentColor; outline-offset: 1px; }
.word { font-size: .72rem; font-weight: 650; margin-left: .35rem; white-space: nowrap; }
sup { font-size: .7em; line-height: 0; }
.tip { display: none; position: absolute; z-index: 2; left: 0; top: 100%; width: max-content; max-width: 24rem;
  background: var(--tip); color: var(--tipink); padding: .5rem .7rem; border-radius: .35rem; font-size: .82rem;
  font-weight: 400; line-height: 1.4; white-space: normal; text-align: left; }
td:nth-last-child(-n+2) .tip { left: auto; right: 0; }
.tip span { display: block; } .tip span:first-child { font-weight: 650; }
.n:hover > .tip, .n:focus > .tip { display: block; }
.remarks { padding-left: 2rem; } .remarks b { color: var(--ink); }
.fall { width: 100%; } .fall td:first-child { width: 40%; } .edge td { font-weight: 650; }
.bars { position: relative; min-width: 9rem; padding: 0; }
.bars i { position: absolute; top: .35rem; height: 1rem; background: var(--soft); border-radius: 2px; }
.bars .up { background: var(--up); } .bars .down { background: var(--down); }
@media print { main { max-width: none; padding: 0; } .tip { display: none !important; }
  tr, li, blockquote { break-inside: avoid; } h2, caption { break-after: avoid; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; } }
""".strip()
