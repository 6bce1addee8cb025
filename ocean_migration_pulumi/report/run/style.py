"""The style sheet of the HTML report: light and dark, wide and narrow, screen and paper."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root {
  color-scheme: light dark;
  --page: #ffffff; --panel: #f5f7f9; --ink: #1a2027; --quiet: #525c68; --rule: #d3d9e0;
  --usual: #1a63d8; --good: #1a7f37; --held: #9a6700; --bad: #c1232d; --unseen: #8b96a3;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #10151b; --panel: #1a212a; --ink: #e5ebf1; --quiet: #a3afbc; --rule: #343e4a;
    --usual: #5ea3ff; --good: #4fc46b; --held: #e0ac3c; --bad: #ff8680; --unseen: #6f7b89;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
main, footer { max-width: 76rem; margin: 0 auto; padding: 0 1.25rem; overflow-wrap: anywhere; }
main { padding-top: 1.5rem; }
footer { padding-bottom: 2rem; color: var(--quiet); font-size: .875rem; }
h1 { margin: 0; font-size: 1.5rem; line-height: 1.25; }
h2 { margin: 2.25rem 0 .75rem; font-size: 1.15rem; line-height: 1.3; }
h2 small { color: var(--quiet); font-weight: 400; font-size: .9375rem; }
p { margin: .5rem 0; max-width: 46rem; }
code, pre { font: .875em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; }
.where { color: var(--quiet); margin: .25rem 0 0; }
.verdict { margin: 1rem 0; padding: .75rem 1rem; max-width: none; background: var(--panel);
  border-left: .375rem solid var(--kind); border-radius: .25rem; }
.verdict strong { color: var(--kind); }
.usual { --kind: var(--usual); } .good { --kind: var(--good); } .held { --kind: var(--held); }
.bad { --kind: var(--bad); } .unseen { --kind: var(--unseen); }
dl { margin: 0; }
dt { color: var(--quiet); font-size: .875rem; }
dd { margin: 0; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem; }
.figures > div { padding: .625rem .875rem; background: var(--panel); border-radius: .25rem; }
.figures { overflow-wrap: normal; }
.figures dd { font-size: 1.375rem; font-weight: 600; line-height: 1.3; font-variant-numeric: tabular-nums; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; margin-top: 1rem; }
.why { display: grid; grid-template-columns: max-content 1fr; gap: .375rem 1.25rem; max-width: 56rem; }
.why dd > div + div { margin-top: .375rem; }
.why dt, .facts dt { line-height: 1.7; }
.table { overflow-x: auto; border: 1px solid var(--rule); border-radius: .25rem; }
.table:focus-visible, summary:focus-visible { outline: 2px solid var(--usual); outline-offset: 2px; }
table { width: 100%; border-collapse: collapse; font-size: .9375rem; overflow-wrap: normal; }
th, td { padding: .375rem .75rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule); }
tbody tr:last-child > * { border-bottom: 0; }
thead th { background: var(--panel); color: var(--quiet); font-weight: 600; font-size: .875rem; white-space: nowrap; }
tbody th { font-weight: 400; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
td.text { min-width: 16rem; overflow-wrap: anywhere; }
td code, th code { white-space: nowrap; font-size: .8125rem; }
.stage { white-space: nowrap; color: var(--kind); }
details { margin: .75rem 0; }
summary { cursor: pointer; padding: .25rem 0; color: var(--usual); }
details > .table, details > pre { margin-top: .5rem; }
pre { margin: 0; padding: .75rem 1rem; overflow-x: auto; background: var(--panel); border-radius: .25rem;
  font-size: .8125rem; }
ul { margin: .5rem 0; padding-left: 1.25rem; }
.pods { columns: 18rem; }
@media (max-width: 40rem) {
  main, footer { padding-left: 1rem; padding-right: 1rem; }
  .facts, .why { grid-template-columns: 1fr; gap: 0; }
  .facts dd, .why dd { margin-bottom: .5rem; }
  .figures { gap: .5rem; }
  th, td { padding: .375rem .5rem; }
  thead th { white-space: normal; }
  tbody th { min-width: 11rem; }
  tbody th code { font-size: .75rem; white-space: normal; overflow-wrap: anywhere; }
}
@media print {
  :root {
    color-scheme: light;
    --page: #fff; --panel: #f5f7f9; --ink: #000; --quiet: #444; --rule: #bbb;
    --usual: #1a63d8; --good: #1a7f37; --held: #9a6700; --bad: #c1232d; --unseen: #8b96a3;
  }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 10pt; }
  main, footer { max-width: none; padding: 0; }
  h2 { break-after: avoid; }
  tr, .figures > div, .verdict { break-inside: avoid; }
  thead { display: table-header-group; }
  .table { overflow: visible; }
  pre { white-space: pre-wrap; }
}
"""
"""The style sheet; it names no font, picture or address of elsewhere."""
