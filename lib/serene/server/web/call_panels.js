// Panels of the call page: the state, the advice, the alerts, the quality of the sound, notice and consent.
import {html} from './htm.js';
import {clock, fixed, percent, seconds, signed, stateWord, words} from './format.js';
import {Icon} from './icons.js';
import {negativeNow, waitingAlerts} from './model.js';
import {Announcer, Bar, Card, Lamp, lampOf, Severity, Sparkline, StateChip, tone} from './parts.js';

function stateNote(view, sure) {
  if (!view.consent) return 'The customer objects; nothing is recognised.';
  if (view.state === 'uncertain') return 'No state is likely enough to name one';
  return sure ? `${percent(view.confidence)} sure of what a listener would say` : 'No speech of the customer is heard';
}

export function StatePanel({view}) {
  const sure = view.confidence > 0 && !['no_speech', 'off'].includes(view.state);
  const trend = view.trend;
  const text = sure ? `The customer sounds ${stateWord(view.state).toLowerCase()}` : `Customer: ${stateWord(view.state)}`;
  return html`<${Card} title="Customer now" className="state-card ${tone(view, view.state)}">
    <div class="state-row"><${StateChip} view=${view} size="large" /></div>
    <${Announcer} text=${text} />
    <${Bar} share=${sure ? view.confidence : 0} className="bar-tone" />
    <p class="muted small state-note"><span>${stateNote(view, sure)}</span>
      <span class="figure">for ${seconds(Math.max(0, view.t - view.stateSince))}</span></p>
    <div class="trend">
      <div><p class="label">Unpleasant share</p><p class="trend-value figure">${fixed(negativeNow(view), 2)}</p></div>
      <${Sparkline} view=${view} width=${84} height=${42} />
      ${trend && html`<span class="trend-word"><${Icon} name=${trend.direction} size=${20} />
        <span>${words(trend.direction)}<br /><span class="muted small figure">${signed(trend.slope)} per min</span></span></span>`}
    </div>
  <//>`;
}

export function AdvicePanel({view}) {
  const {advice} = view;
  const last = view.adviceLog.at(-1);
  const said = view.ended ? 'The call has ended.' : !view.consent ? 'Recognition is off: the customer objects.' : 'Nothing to advise right now.';
  return html`<${Card} title="Advice" className="advice ${advice ? 'advice-on' : ''}">
    ${advice ? html`<p class="advice-text"><${Icon} name="bulb" size=${34} /><span>${advice.text}</span></p>
      <p class="muted"><strong>Why:</strong> ${advice.reason} <span class="muted">· since ${clock(advice.since)}</span></p>`
    : html`<p class="advice-none">${said}</p>
      <p class="muted small">One sentence appears here when the course of the call asks for it, with its reason.</p>`}
    ${!advice && last && html`<p class="advice-last"><span class="muted">Last advice, ${clock(last.since)}:</span> ${last.text} <span class="muted">(${last.reason})</span></p>`}
    <${Announcer} text=${advice ? `Advice: ${advice.text}` : ''} every=${6000} />
  <//>`;
}

function alertState(alert) {
  const parts = [];
  if (alert.escalatedAt !== null) parts.push(`escalated ${clock(alert.escalatedAt)}`);
  else if (alert.supervisor) parts.push('supervisor told');
  if (alert.acknowledgedAt !== null) parts.push(`acknowledged ${clock(alert.acknowledgedAt)}`);
  if (alert.clearedAt !== null) parts.push(`cleared ${clock(alert.clearedAt)}`);
  return parts.join(' · ');
}

function AlertItem({alert, asked, onAcknowledge, ended}) {
  const open = alert.acknowledgedAt === null && alert.clearedAt === null;
  const state = alertState(alert);
  return html`<li class="alert alert-${alert.severity} ${open && !ended ? 'alert-open' : 'alert-done'}" data-alert=${alert.id}>
    <p class="alert-head"><${Severity} alert=${alert} /><span class="muted small figure">No. ${alert.id} · ${clock(alert.raisedAt)}</span></p>
    <p class="alert-text">${alert.text}</p>
    <p class="muted small">${alert.reason}</p>
    <p class="muted small">Evidence: ${fixed(alert.value, 2)} over ${seconds(alert.forMs)} · rule ${alert.rule}</p>
    ${state && html`<p class="alert-state small">${state}</p>`}
    ${open && !ended && asked === 'done' && html`<p class="alert-state small">acknowledged, shown when the view goes on</p>`}
    ${open && !ended && asked !== 'done' && html`<button type="button" class="primary" onClick=${() => onAcknowledge(alert)} data-test="acknowledge">
      <${Icon} name="check" size=${16} />${asked === 'sent' ? 'Sending…' : 'Acknowledge'}<span class="hidden"> alert ${alert.id}: ${alert.text}</span></button>`}
  </li>`;
}

const weight = {critical: 2, warning: 1};

/** What needs someone first: open ones by severity, then the rest, the newest on top. */
function sortAlerts(alerts) {
  const rank = (a) => (a.clearedAt !== null ? 0 : a.acknowledgedAt !== null ? 1 : 2 + (weight[a.severity] ?? 0));
  return [...alerts].sort((a, b) => rank(b) - rank(a) || b.id - a.id);
}

/** asked(alert): how far the acknowledgement of an alert is (requests.js). */
export function AlertPanel({view, asked, onAcknowledge}) {
  const waiting = waitingAlerts(view);
  const critical = waiting.filter((a) => a.severity === 'critical');
  const list = sortAlerts(view.alerts);
  const alarm = view.ended ? '' : critical.length > 1 ? `${critical.length} critical alerts are open` : critical[0] ? `Critical: ${critical[0].text}. ${critical[0].reason}` : '';
  return html`<${Card} title="Alerts" className="alerts" aside=${html`<span class="muted small">${view.ended ? `${list.length} in all` : `${waiting.length} open`}</span>`}>
    <${Announcer} role="alert" every=${6000} text=${alarm} />
    ${list.length ? html`<ul class="alert-list" tabindex="0" aria-label="Alerts, the most urgent first">${list.map((alert) => html`<${AlertItem} key=${alert.id} alert=${alert} asked=${asked(alert)} ended=${view.ended} onAcknowledge=${onAcknowledge} />`)}</ul>`
    : html`<p class="muted">No alert in this call.</p>`}
  <//>`;
}

function QualityRow({leg, quality}) {
  const word = leg === 'customer' ? 'Customer' : 'Agent';
  if (!quality) return html`<tr><th scope="row">${word}</th><td colspan="5" class="muted">Not heard yet</td></tr>`;
  return html`<tr><th scope="row">${word}</th><td><${Lamp} lamp=${quality.lamp} /></td>
    <td>${fixed(quality.level_dbfs, 0)}</td><td>${fixed(quality.snr_db, 0)}</td>
    <td>${fixed(100 * quality.loss)}</td><td>${fixed(100 * quality.clipping)}</td></tr>`;
}

export function QualityPanel({view}) {
  const bad = (view.quality.customer?.bad_samples ?? 0) + (view.quality.agent?.bad_samples ?? 0);
  const narrow = view.quality.customer?.band_limited === true;
  const latency = view.latency;
  return html`<${Card} title="Sound and speed" aside=${html`<${Lamp} lamp=${lampOf(view)} label="Audio quality:" />`}>
    <table class="data plain"><caption class="hidden">Quality of the sound by leg</caption>
      <thead><tr><th scope="col">Leg</th><th scope="col">Lamp</th><th scope="col">Level<br /><span class="unit">dBFS</span></th><th scope="col">SNR<br /><span class="unit">dB</span></th>
        <th scope="col">Loss<br /><span class="unit">%</span></th><th scope="col">Clip<br /><span class="unit">%</span></th></tr></thead>
      <tbody><${QualityRow} leg="customer" quality=${view.quality.customer} />${view.agentLeg && html`<${QualityRow} leg="agent" quality=${view.quality.agent} />`}</tbody></table>
    <p class="muted small">${narrow ? 'Telephone band: the customer is heard up to 4 kHz, and recognition is less sure.' : 'Full band.'}
      ${bad > 0 && ` ${bad} unusable samples were replaced by silence.`}</p>
    <dl class="latency"><div><dt>Latency</dt><dd class="figure">${latency ? `${fixed(latency.last)}\u202fms` : '–'}</dd></div>
      <div><dt>Median</dt><dd class="figure">${latency ? `${fixed(latency.median)}\u202fms` : '–'}</dd></div>
      <div><dt>99 % below</dt><dd class="figure">${latency ? `${fixed(latency.p99)}\u202fms` : '–'}</dd></div></dl>
  <//>`;
}

export function Consent({view, asked, onConsent}) {
  const sending = {sent: ' Sending…', done: ' Changed, shown when the view goes on.'}[asked] ?? '';
  return html`<div class="notice-line"><${Icon} name="info" size=${18} />
    <p><strong>AI notice:</strong> software estimates from the voice how the customer sounds. Tell the customer so; they may object at any time.
      <span class="consent-word">${view.consent ? 'Consent: given' : 'Consent: refused, recognition is off'}${view.consentMode === 'assumed' && view.consent ? ' (assumed)' : ''}${sending}</span></p>
    ${!view.ended && html`<div class="segments" role="group" aria-label="The customer's choice">
      <button type="button" aria-pressed=${view.consent ? 'true' : 'false'} onClick=${() => onConsent(true)}>Agrees</button>
      <button type="button" aria-pressed=${view.consent ? 'false' : 'true'} onClick=${() => onConsent(false)}>Objects</button></div>`}
  </div>`;
}
