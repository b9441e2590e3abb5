// The page of one call: what the customer sounds like now, what to do, and how it came to this.
import {html, useEffect, useMemo} from './htm.js';
import {AfterCall} from './after_call.js';
import {AdvicePanel, AlertPanel, Consent, QualityPanel, StatePanel} from './call_panels.js';
import {clock, endWords, hour, stateWord} from './format.js';
import {Icon} from './icons.js';
import {waitingAlerts} from './model.js';
import {PauseButton, Shell} from './shell.js';
import {CallSound} from './sound.js';
import {Timeline, usePosition} from './timeline.js';

function Head({view, store}) {
  const facts = [view.id, view.startedAt && `since ${hour(view.startedAt)}`, view.source, view.model && `model ${view.model}`];
  return html`<div class="page-head"><div>
      <h1>${view.title || view.id}</h1>
      <p class="muted"><span class="pill ${view.ended ? 'pill-ended' : 'pill-live'}"><${Icon} name=${view.ended ? 'check' : 'live'} size=${14} />${view.ended ? 'Ended' : 'Live'}</span>
        <span class="duration figure">${clock(view.t)}</span> ${facts.filter(Boolean).join(' · ')}</p></div>
    <span class="grow"></span>
    ${!view.ended && html`<a class="button" href="/widget/${encodeURIComponent(view.id)}" target="_blank" rel="noopener">Agent widget</a>`}
    ${(!view.ended || store.paused) && html`<${PauseButton} store=${store} />`}</div>`;
}

function Known({store, view}) {
  const sound = useMemo(() => new CallSound(view.id, () => view.ended), [view]);
  const place = usePosition(view, sound);
  const waiting = waitingAlerts(view);
  useEffect(() => {
    document.title = `${waiting.length && !view.ended ? `(${waiting.length}) ` : ''}${view.ended ? 'Ended' : stateWord(view.state)} · ${view.title || view.id} · serene`;
  }, [waiting.length, view.state, view.ended, view.title]);
  const acknowledge = (alert) => store.acknowledge(view, alert);
  const actions = {a: () => !view.ended && waiting.length && acknowledge(waiting.at(-1)), p: () => view.audio && place.toggle(), l: place.live};
  return html`<${Shell} store=${store} actions=${actions}>
    <${Head} view=${view} store=${store} />
    <${Consent} view=${view} onConsent=${(given) => store.setConsent(view, given)} />
    ${store.paused && html`<p class="notice" role="status">The view stands still; the call and its alerts go on behind it.</p>`}
    ${view.full && html`<p class="notice">This call is longer than the dashboard keeps: what follows is not shown here.</p>`}
    <div class="call-grid">
      ${view.ended ? html`<${AfterCall} view=${view} reason=${endWords(view.reason)} />`
    : html`<${StatePanel} view=${view} /><${AdvicePanel} view=${view} />`}
      <div class="side"><${AlertPanel} view=${view} onAcknowledge=${acknowledge} /><${QualityPanel} view=${view} /></div>
      <${Timeline} view=${view} place=${place} />
    </div>
  <//>`;
}

export function CallPage({store, id}) {
  const view = store.calls.get(id);
  if (view) return html`<${Known} store=${store} view=${view} />`;
  return html`<${Shell} store=${store}><div class="card empty"><h1>Call ${id}</h1>
    <p class="muted" role="status">${store.missing ? 'There is no such call here. It may not have begun yet, or have ended before this program was started.' : 'Connecting…'}</p>
    <p><a href="/">All calls</a></p></div><//>`;
}
