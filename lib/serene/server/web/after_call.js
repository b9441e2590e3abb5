// What stays when a call is over: its figures and the documents to take along.
import {html} from './htm.js';
import {clock, percent, seconds, stateWord} from './format.js';
import {Icon} from './icons.js';
import {summarize} from './model.js';
import {Bar, Card, tone} from './parts.js';

const documentNames = {'report.html': 'Report', 'summary.json': 'Summary (JSON)', 'events.csv': 'Events (CSV)', 'events.jsonl': 'Events (JSONL)'};

function Documents({view}) {
  if (!view.documents.length) return null;
  const known = Object.keys(documentNames);
  const place = (name) => (known.includes(name) ? known.indexOf(name) : known.length);
  const list = [...view.documents].sort((a, b) => place(a) - place(b));
  return html`<p class="documents">${list.map((name) => html`<a class="button ${name === 'report.html' ? 'primary' : ''}" key=${name}
    href="/api/calls/${encodeURIComponent(view.id)}/documents/${encodeURIComponent(name)}" target="_blank" rel="noopener">
    <${Icon} name="document" size=${16} />${documentNames[name] ?? name}</a>`)}</p>`;
}

export function AfterCall({view, reason}) {
  const s = summarize(view);
  const figures = [['Duration', clock(s.duration)], ['Customer spoke', seconds(s.talk.customer)],
    ...(view.agentLeg ? [['Agent spoke', seconds(s.talk.agent)], ['Both at once', seconds(s.overlap)]] : []),
    ['Silence', seconds(s.silence)],
    ['Longest unpleasant stretch', s.longest ? `${seconds(s.longest.to - s.longest.from)} from ${clock(s.longest.from)}` : 'None'],
    ['Alerts', s.alerts ? `${s.alerts}, ${s.acknowledged} acknowledged` : 'None']];
  return html`<${Card} title="The call has ended" className="after" aside=${html`<span class="muted small">${reason}</span>`}>
    <div class="after-grid">
      <div><h3>Share of time by state</h3>
        <ul class="shares">${s.shares.map(({state, ms, share}) => html`<li key=${state} class=${tone(view, state)}>
          <span class="share-name">${stateWord(state)}</span><${Bar} share=${share} className="bar-tone" />
          <span class="figure">${percent(share)}</span><span class="muted figure">${seconds(ms)}</span></li>`)}</ul>
        ${!s.shares.length && html`<p class="muted">No state was recognised.</p>`}</div>
      <dl class="figures">${figures.map(([name, value]) => html`<div><dt>${name}</dt><dd class="figure">${value}</dd></div>`)}</dl>
    </div>
    <${Documents} view=${view} />
  <//>`;
}
