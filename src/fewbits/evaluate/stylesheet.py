"""The look of a report: one style sheet, light and dark, for desk and phone."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --page: #ffffff; --card: #f7f8fa; --ink: #1a1f26;
  --soft: #525b68; --rule: #dde1e7; --plain: #a84300; --rescored: #0a5cad; --bad: #a3142c; }
@media (prefers-color-scheme: dark) { :root { --page: #12161c; --card: #1a2028; --ink: #e8ebef;
  --soft: #a5afbd; --rule: #333c48; --plain: #ffa05c; --rescored: #6db6ff; --bad: #ff8d9b; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); line-height: 1.55;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
  font-size: 16px; -webkit-text-size-adjust: 100%; }
main { max-width: 62rem; margin: 0 auto; padding: 3rem 1.25rem 4rem; }
h1 { font-size: 2rem; line-height: 1.2; letter-spacing: -0.02em; margin: 0.2rem 0 0.4rem;
  overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; letter-spacing: -0.01em; margin: 3rem 0 0.5rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 0.25rem; font-weight: 600; overflow-wrap: anywhere; }
p { margin: 0.5rem 0; max-width: 44rem; }
.kicker, .soft { color: var(--soft); }
.kicker { margin: 0; font-size: 0.85rem; letter-spacing: 0.04em; }
.soft { font-size: 0.9rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 1rem;
  margin: 1.75rem 0 1.25rem; padding: 0; list-style: none; }
.cards li { background: var(--card); border: 1px solid var(--rule); border-radius: 10px;
  padding: 1rem 1.1rem 1.1rem; }
.cards .big { font-size: 2.1rem; font-weight: 650; letter-spacing: -0.03em; line-height: 1.15; }
.cards .big small { font-size: 1rem; font-weight: 400; letter-spacing: 0; color: var(--soft); }
.cards .who { font-weight: 600; overflow-wrap: anywhere; }
.cards p { margin: 0.25rem 0; font-size: 0.93rem; }
figure { margin: 1rem 0; }
figcaption { font-size: 0.9rem; color: var(--soft); max-width: 44rem; }
.legend { display: flex; flex-wrap: wrap; gap: 0.2rem 1.5rem; margin: 0.5rem 0; padding: 0;
  list-style: none; font-size: 0.9rem; }
.legend svg { width: 14px; height: 14px; vertical-align: -2px; margin-right: 0.4rem; }
figure > svg { display: block; width: 100%; height: auto; }
figure > svg.narrow { display: none; }
svg text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
  fill: var(--ink); font-variant-numeric: tabular-nums; }
svg .tick, svg .name { fill: var(--soft); }
svg .label { font-weight: 500; }
svg .middle { text-anchor: middle; } svg .end { text-anchor: end; }
svg .grid { stroke: var(--rule); } svg .axis { stroke: var(--soft); }
svg .leader { stroke: var(--soft); stroke-width: 0.75; }
svg .stem { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 1 4; stroke-linecap: round; }
svg .bar { stroke-width: 1.25; } svg .frontier { fill: none; stroke-width: 1.25; opacity: 0.45; }
svg .mark { stroke-width: 2; }
svg .bar.plain, svg .frontier.plain { stroke: var(--plain); }
svg .bar.rescored, svg .frontier.rescored { stroke: var(--rescored); }
svg .mark.plain { stroke: var(--plain); fill: var(--page); }
svg .mark.rescored { stroke: var(--rescored); fill: var(--rescored); stroke-width: 0; }
.scroll { overflow-x: auto; border: 1px solid var(--rule); border-radius: 10px; margin: 0.75rem 0; }
.scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--rescored); }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem;
  font-variant-numeric: tabular-nums; }
th, td { padding: 0.5rem 0.65rem; text-align: right; border-top: 1px solid var(--rule);
  vertical-align: top; white-space: nowrap; }
thead th { border-top: 0; font-weight: 500; color: var(--soft); vertical-align: bottom;
  white-space: normal; }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--page);
  min-width: 6.5rem; max-width: 13rem; white-space: normal; overflow-wrap: break-word; }
tbody th { font-weight: 600; }
td small { display: block; color: var(--soft); font-size: 0.8rem; }
details { border: 1px solid var(--rule); border-radius: 10px; margin: 0.6rem 0;
  padding: 0 1rem; }
details[open] { padding-bottom: 1rem; }
summary { cursor: pointer; padding: 0.65rem 0; font-weight: 600; overflow-wrap: anywhere; }
summary span { font-weight: 400; color: var(--soft); }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 0 1.5rem; font-size: 0.87rem; }
.pair h4 { margin: 0.4rem 0 0.1rem; font-size: 0.85rem; font-weight: 500; color: var(--soft); }
.pair ol { margin: 0; padding-left: 1.6rem; } .pair li { overflow-wrap: anywhere; }
.pair li::marker { color: var(--soft); }
.lost { color: var(--bad); font-weight: 600; } .other { color: var(--soft); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.15rem 1.2rem;
  font-size: 0.9rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 48rem) { figure > svg.wide { display: none; }
  figure > svg.narrow { display: block; max-width: 30rem; margin: 0 auto; } }
@media (max-width: 42rem) { main { padding: 1.75rem 1rem 3rem; } h1 { font-size: 1.6rem; }
  .pair { grid-template-columns: 1fr; } dl { grid-template-columns: 1fr; }
  dd { margin-bottom: 0.5rem; } }
@media print { .scroll { overflow: visible; } main { max-width: none; } }
"""
