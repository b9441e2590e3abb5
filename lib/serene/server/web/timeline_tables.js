// The timeline in words and numbers: what the charts draw, as tables that are built when they are opened.
import {html, useState} from './htm.js';
import {clock, fixed, percent, seconds, stateWord, words} from './format.js';

const rowLimit = 400;

function Table({caption, heads, rows}) {
  if (!rows.length) return html`<p class="muted">Nothing yet.</p>`;
  const shown = rows.slice(-rowLimit);
  return html`<div class="table-frame" tabindex="0" role="region" aria-label=${caption}><table class="data">
    <caption>${caption}${rows.length > shown.length ? ` (the last ${shown.length} of ${rows.length})` : ''}</caption>
    <thead><tr>${heads.map((h) => html`<th scope="col">${h}</th>`)}</tr></thead>
    <tbody>${shown.map((row) => html`<tr>${row.map((cell, i) => (i ? html`<td>${cell}</td>` : html`<th scope="row">${cell}</th>`))}</tr>`)}</tbody>
  </table></div>`;
}

const until = (view, span) => (span.to === null ? 'now' : clock(span.to));
const length = (view, span) => seconds((span.to ?? view.t) - span.from);

function states(view) {
  return view.spans.map((s) => [clock(s.from), until(view, s), stateWord(s.state), s.confidence ? percent(s.confidence) : '–', length(view, s)]);
}

function talk(view) {
  const rows = [];
  const add = (list, what) => list.forEach((s) => rows.push([s.from, [clock(s.from), until(view, s), what, length(view, s)]]));
  add(view.speech.customer, 'Customer speaks');
  add(view.speech.agent, 'Agent speaks');
  add(view.overlaps, 'Both at once');
  add(view.silences, 'Silence');
  return rows.sort((a, b) => a[0] - b[0]).map(([, row]) => row);
}

function probabilities(view) {
  return view.points.map((p) => [clock(p.t), stateWord(p.state), ...p.shares.map((s) => percent(s)), fixed(p.negative, 2)]);
}

function advice(view) {
  return view.adviceLog.map((a) => [clock(a.since), a.until === null ? 'now' : clock(a.until), a.text, a.reason, words(a.rule)]);
}

function Fold({title, children}) {
  const [open, setOpen] = useState(false);
  return html`<details onToggle=${(event) => setOpen(event.target.open)}><summary>${title}</summary>${open && children()}</details>`;
}

export function TimelineTables({view}) {
  return html`<div class="folds">
    <${Fold} title="States as a table">${() => html`<${Table} caption="States of the customer"
      heads=${['From', 'To', 'State', 'Confidence', 'Duration']} rows=${states(view)} />`}<//>
    <${Fold} title="Speech, overlap and silence as a table">${() => html`<${Table} caption="Who spoke when"
      heads=${['From', 'To', 'What', 'Duration']} rows=${talk(view)} />`}<//>
    <${Fold} title="Probabilities as a table">${() => html`<${Table} caption="Smoothed probabilities of the customer's states"
      heads=${['Time', 'State', ...view.states.map(stateWord), 'Unpleasant']} rows=${probabilities(view)} />`}<//>
    <${Fold} title="Advice given as a table">${() => html`<${Table} caption="Advice shown to the agent"
      heads=${['From', 'To', 'Advice', 'Reason', 'Rule']} rows=${advice(view)} />`}<//>
  </div>`;
}
