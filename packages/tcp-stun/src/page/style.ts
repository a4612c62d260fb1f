/**
 * Light and dark as the reader's system is, from a phone to a desktop
 */
export const STYLE = `
:root {
  color-scheme: light dark;
  --back: #f4f6f8; --card: #fff; --line: #e0e5ea; --text: #17212b; --muted: #566373; --code: #eef2f5;
  --accent: #0a7570; --second: #4c6fc4; --third: #aab4c0; --track: #e6eaee;
  --good: #14733f; --warning: #8a5800; --bad: #b3261e;
  --shadow: 0 1px 2px rgb(23 33 43 / 6%), 0 4px 16px rgb(23 33 43 / 4%);
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #0d1217; --card: #151c23; --line: #26303a; --text: #e7edf3; --muted: #9dabb9; --code: #0f151b;
    --accent: #46c2b3; --second: #7f9ff0; --third: #5a6775; --track: #26303a;
    --good: #58c98a; --warning: #e8b54d; --bad: #ff8f86;
    --shadow: none;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, Ubuntu, sans-serif;
  -webkit-text-size-adjust: 100%;
}
header, main, footer { max-width: 70rem; margin: 0 auto; padding: 0 1.25rem; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem .75rem; padding-block: 1.75rem 1.25rem; }
header svg { width: 2.25rem; height: 2.25rem; flex: none; color: var(--accent); }
h1 { margin: 0; font-size: 1.5rem; line-height: 1.2; letter-spacing: -.01em; }
h1 + p { margin: 0; flex-basis: 100%; order: 1; color: var(--muted); }
#live {
  margin: 0 0 0 auto; padding: .15rem .75rem; border-radius: 1rem; font-size: .875rem; color: var(--muted);
  border: 1px solid var(--line); background: var(--card);
}
#live.live { color: var(--good); }
#live.live::before {
  content: ""; display: inline-block; width: .5rem; height: .5rem; margin-right: .4rem; border-radius: 50%;
  background: currentcolor;
}
#live.stale { color: var(--bad); }
main { display: grid; grid-template-columns: repeat(6, minmax(0, 1fr)); gap: 1rem; }
section {
  grid-column: 1 / -1; min-width: 0; padding: 1.25rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .75rem; box-shadow: var(--shadow);
}
h2 { margin: 0 0 .75rem; font-size: 1.0625rem; }
h2 .total { margin-left: .25rem; color: var(--muted); font-weight: 400; }
h3 { margin: 0; font-size: .9375rem; }
p { margin: 0; }
.muted, small { color: var(--muted); }
small { font-size: .8125rem; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
a { color: var(--accent); }
code {
  font: .875em/1.5 ui-monospace, "SF Mono", "Cascadia Code", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  overflow-wrap: anywhere;
}
time { white-space: nowrap; }
ul, ol { margin: 0; padding: 0; list-style: none; }
#state { padding: 0; background: none; border: 0; box-shadow: none; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 1rem; }
.facts li {
  display: flex; gap: .75rem; padding: 1rem 1.25rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .75rem; box-shadow: var(--shadow);
}
.facts p { font-size: .875rem; color: var(--muted); }
.sign {
  flex: none; display: grid; place-items: center; width: 1.5rem; height: 1.5rem; border-radius: 50%;
  border: 2px solid; font-size: .8125rem; font-weight: 700; line-height: 1; color: var(--muted);
}
.sign.good { color: var(--good); } .sign.warning { color: var(--warning); } .sign.bad { color: var(--bad); }
.copyable { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: .375rem .5rem; margin-top: .75rem; }
.copyable h3 { grid-column: 1 / -1; font-weight: 500; font-size: .875rem; color: var(--muted); }
.copyable code {
  padding: .625rem .75rem; background: var(--code); border: 1px solid var(--line); border-radius: .5rem;
  user-select: all;
}
button {
  align-self: start; min-width: 5.5rem; min-height: 2.75rem; padding: 0 .875rem; font: inherit; font-size: .875rem;
  font-weight: 600; color: var(--card); background: var(--accent); border: 0; border-radius: .5rem; cursor: pointer;
}
button:hover { filter: brightness(1.1); }
:focus-visible { outline: 3px solid var(--second); outline-offset: 2px; }
summary { margin-top: .75rem; padding: .25rem 0; font-size: .875rem; color: var(--muted); cursor: pointer; }
details .copyable:first-of-type { margin-top: .25rem; }
.figures {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 1.25rem 1.75rem; margin: 0;
}
.figure dt { font-size: .875rem; color: var(--muted); }
.figure dd { margin: 0; }
.figure b {
  font-size: 1.875rem; line-height: 1.3; font-weight: 650; letter-spacing: -.02em;
  font-variant-numeric: tabular-nums;
}
.of { color: var(--muted); }
.figure small { display: block; margin-top: .375rem; }
.bar {
  display: block; width: 100%; height: .5rem; border-radius: .25rem; background: var(--track); overflow: hidden;
}
.used, .dialable { fill: var(--accent); background: var(--accent); }
.relayed { fill: var(--second); background: var(--second); }
.unknown { fill: var(--third); background: var(--third); }
.near { fill: var(--warning); }
#peers .bar { height: .75rem; margin-bottom: .75rem; }
.scroll { overflow: auto; max-height: 26rem; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .5rem .75rem; text-align: right; vertical-align: top; border-top: 1px solid var(--line); }
th:first-child, td:first-child { padding-left: 0; text-align: left; }
th { font-weight: 500; }
thead th { border-top: 0; font-size: .875rem; color: var(--muted); }
thead small { display: block; font-weight: 400; }
.key { display: inline-block; width: .625rem; height: .625rem; margin-right: .375rem; border-radius: .1875rem; }
.ids td, .ids th { text-align: left; font-size: .8125rem; }
.ids code { white-space: nowrap; }
.ranking li, .plain li {
  display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: .25rem 1rem; padding: .5rem 0;
  border-top: 1px solid var(--line);
}
.ranking { margin-top: .5rem; }
.plain li:first-child, .ranking li:first-child { border-top: 0; }
.ranking .bar { grid-column: 1 / -1; height: .25rem; }
.name { overflow-wrap: anywhere; }
.name b { margin-right: .25rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
footer {
  display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding-block: 1.25rem 2.5rem; font-size: .875rem;
  color: var(--muted);
}
@media (min-width: 50rem) {
  main { grid-template-rows: repeat(5, auto) 1fr; }
  #namespaces { grid-column: 1 / span 3; grid-row: span 2; }
  #refusals, #helpers { grid-column: span 3; align-self: start; }
}
@media (max-width: 30rem) {
  header, main, footer { padding-inline: .875rem; }
  header { padding-block: 1.25rem 1rem; }
  section { padding: 1rem; }
  main, .facts { gap: .75rem; }
  .copyable { grid-template-columns: 1fr; }
  .copyable button { width: 100%; }
  th, td { padding-inline: .375rem 0; }
  thead small { display: none; }
}
@media print { button, #live { display: none; } }
`
