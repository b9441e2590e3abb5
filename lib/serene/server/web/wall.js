// The supervisor's wall: every live call in one row, the most urgent first; ended calls below. It shows how customers
// sound and ranks nobody who works here.
import {html, useEffect, useRef, useState} from './htm.js';
import {clock, endWords, hour, percent, stateWord} from './format.js';
import {Icon} from './icons.js';
import {activeAlerts, summarize, urgency, waitingAlerts} from './model.js';
import {Announcer, Lamp, lampOf, Sparkline, StateChip, tone} from './parts.js';
import {PauseButton, Shell} from './shell.js';

const resortMs = 3000;

/**
 * Live calls in the order of urgency. Rows move at most every three seconds, and never while someone points at the
 * table or has the focus in it.
 */
function useOrder(store, held) {
  const order = useRef([]);
  const last = useRef(0);
  const live = [...store.calls.values()].filter((v) => !v.ended && !v.closed);
  const ids = new Set(live.map((v) => v.id));
  const known = order.current.filter((id) => ids.has(id));
  const fresh = live.map((v) => v.id).filter((id) => !known.includes(id));
  order.current = [...known, ...fresh];
  const settled = performance.now() > resortMs;
  if (!settled || (!held && Date.now() - last.current >= resortMs)) {
    last.current = Date.now();
    const rank = new Map(live.map((v) => [v.id, urgency(v)]));
    order.current.sort((a, b) => rank.get(b) - rank.get(a) || (a < b ? -1 : 1));
  }
  return order.current.map((id) => store.calls.get(id));
}

function AlertBadge({view}) {
  const waiting = waitingAlerts(view);
  const active = activeAlerts(view);
  if (!active.length) return html`<span class="muted">No alert</span>`;
  const worst = ['critical', 'warning', 'info'].find((s) => (waiting.length ? waiting : active).some((a) => a.severity === s));
  const alert = (waiting.length ? waiting : active).find((a) => a.severity === worst);
  const escalated = waiting.some((a) => a.escalatedAt !== null || a.supervisor);
  return html`<span class="badge ${waiting.length ? `badge-${worst}` : 'badge-seen'}">
    <${Icon} name=${waiting.length ? worst : 'check'} size=${16} />
    <span>${alert.text}${active.length > 1 ? ` +${active.length - 1}` : ''}</span></span>
    ${escalated && html`<span class="escalated"><${Icon} name="up" size=${14} />Escalated</span>`}
    ${!waiting.length && html`<span class="muted small">acknowledged</span>`}`;
}

const openCall = (id) => (event) => {
  if (!event.target.closest('a, button')) location.assign(`/call/${encodeURIComponent(id)}`);
};

function LiveRow({view}) {
  const waiting = waitingAlerts(view);
  const urgent = waiting.some((a) => a.severity === 'critical');
  return html`<tr class="row ${urgent ? 'row-urgent' : waiting.length ? 'row-warn' : ''}" onClick=${openCall(view.id)} data-call=${view.id}>
    <th scope="row"><a href="/call/${encodeURIComponent(view.id)}" class="call-link">${view.title || view.id}</a>
      <span class="muted small">${view.id}${view.startedAt ? ` · since ${hour(view.startedAt)}` : ''}</span></th>
    <td class="figure">${clock(view.t)}</td>
    <td><${StateChip} view=${view} size="small" /></td>
    <td><${Sparkline} view=${view} /></td>
    <td><${AlertBadge} view=${view} /></td>
    <td><${Lamp} lamp=${lampOf(view)} label="Audio quality:" /></td>
  </tr>`;
}

function EndedRow({view}) {
  const {shares, alerts} = summarize(view);
  const most = shares[0];
  return html`<tr class="row" onClick=${openCall(view.id)} data-call=${view.id}>
    <th scope="row"><a href="/call/${encodeURIComponent(view.id)}" class="call-link">${view.title || view.id}</a>
      <span class="muted small">${view.id}${view.startedAt ? ` · since ${hour(view.startedAt)}` : ''}</span></th>
    <td class="figure">${clock(view.t)}</td>
    <td>${most ? html`<span class="chip small ${tone(view, most.state)}"><span class="swatch" aria-hidden="true"></span>${stateWord(most.state)}
      <span class="chip-figure">${percent(most.share)}</span></span>` : html`<span class="muted">Nothing heard</span>`}</td>
    <td>${alerts ? `${alerts} ${alerts === 1 ? 'alert' : 'alerts'}` : html`<span class="muted">No alert</span>`}</td>
    <td>${endWords(view.reason)}</td>
  </tr>`;
}

/** Moves the focus from call to call. */
function step(by) {
  const links = [...document.querySelectorAll('.call-link')];
  if (!links.length) return;
  const at = links.indexOf(document.activeElement);
  links[at < 0 ? (by > 0 ? 0 : links.length - 1) : (at + by + links.length) % links.length].focus();
}

const columns = ['Call', 'Duration', 'Customer', 'Last minute, unpleasant share', 'Alerts', 'Sound'];

function Table({caption, heads, children, hold}) {
  return html`<div class="table-frame" onMouseEnter=${() => hold?.(true)} onMouseLeave=${() => hold?.(false)}>
    <table class="wall-table"><caption class="hidden">${caption}</caption>
      <thead><tr>${heads.map((h) => html`<th scope="col">${h}</th>`)}</tr></thead>
      <tbody>${children}</tbody></table></div>`;
}

export function Wall({store}) {
  const [over, setOver] = useState(false);
  const held = over || store.paused || Boolean(document.activeElement?.closest?.('.live-table'));
  const live = useOrder(store, held);
  const ended = [...store.calls.values()].filter((v) => v.ended || v.closed).reverse();
  const waiting = live.reduce((sum, v) => sum + waitingAlerts(v).length, 0);
  const newest = live.flatMap((v) => waitingAlerts(v).filter((a) => a.severity === 'critical').map((a) => `${a.text}: ${v.title || v.id}`));
  useEffect(() => {
    document.title = `${waiting ? `(${waiting}) ` : ''}Calls · serene`;
  }, [waiting]);
  const alarm = newest.length > 1 ? `${newest.length} calls have critical alerts` : newest[0] ?? '';
  return html`<${Shell} store=${store} wall=${true} actions=${{ArrowDown: () => step(1), ArrowUp: () => step(-1), j: () => step(1), k: () => step(-1)}}>
    <div class="page-head"><div><h1>Live calls</h1>
      <p class="muted">${live.length} live · ${waiting} open ${waiting === 1 ? 'alert' : 'alerts'} · most urgent first</p></div>
      <${PauseButton} store=${store} /></div>
    <${Announcer} role="alert" every=${8000} text=${alarm} />
    ${live.length ? html`<div class="live-table"><${Table} caption="Live calls" heads=${columns} hold=${setOver}>
        ${live.map((view) => html`<${LiveRow} key=${view.id} view=${view} />`)}<//></div>`
      : html`<div class="card empty"><${Icon} name="wave" size=${40} /><p class="empty-title">No call is live</p>
        <p class="muted">A call appears here as soon as it begins: <code>serene call SCENARIO --web</code></p></div>`}
    ${ended.length > 0 && html`<h2 class="section">Ended calls</h2>
      <${Table} caption="Ended calls" heads=${['Call', 'Duration', 'Mostly', 'Alerts', 'Ended']}>
        ${ended.map((view) => html`<${EndedRow} key=${view.id} view=${view} />`)}<//>`}
    <p class="foot muted small">Recognition hears customers only and can be wrong. It shows how a voice sounds, not what a person feels, and no
      decision about a person may rest on it.</p>
  <//>`;
}
