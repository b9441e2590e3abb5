// The page of one call: what the customer sounds like now, what to do, and how it came to this.
import {html, useEffect, useMemo} from './htm.js';
import {AfterCall} from './after_call.js';
import {AdvicePanel, AlertPanel, Consent, QualityPanel, StatePanel} from './call_panels.js';
import {clock, endWords, hour, stateWord} from './format.js';
import {Icon} from './icons.js';
import {waitingAlerts} from './model.js';
import {alertKey, consentKey} from './requests.js';
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

function nameOf({type, alert, given}) {
  if (type === 'acknowledge') return `The acknowledgement of alert ${alert}`;
  return given ? 'The customer\u2019s agreement' : 'The customer\u2019s objection';
}

/** What was pressed and did not get through. */
function Failed({store, view}) {
  const back = store.link.state === 'open';
  return store.requests.failed(view.id).map(({message, state}) => html`<p class="notice" role="alert" data-test="failed">
    <strong>${nameOf(message)} ${state === 'unsent' ? 'was not sent' : 'is not confirmed'}${back ? '' : ': no connection'}.</strong>
    ${back ? ' Please press again.' : ' Please press again when the connection is back.'}</p>`);
}

function Known({store, view}) {
  const sound = useMemo(() => new CallSound(view.id, () => view.ended), [view]);
  const place = usePosition(view, sound);
  const waiting = waitingAlerts(view);
  useEffect(() => {
    document.title = `${waiting.length && !view.ended ? `(${waiting.length}) ` : ''}${view.ended ? 'Ended' : stateWord(view.state)} · ${view.title || view.id} · serene`;
  }, [waiting.length, view.state, view.ended, view.title]);
  const acknowledge = (alert) => store.acknowledge(view, alert);
  const asked = (alert) => store.requests.state(alertKey(view.id, alert.id));
  const actions = {a: () => !view.ended && waiting.length && acknowledge(waiting.at(-1)), p: () => view.audio && place.toggle(), l: place.live};
  return html`<${Shell} store=${store} actions=${actions}>
    <${Head} view=${view} store=${store} />
    <${Consent} view=${view} asked=${store.requests.state(consentKey(view.id))} onConsent=${(given) => store.setConsent(view, given)} />
    ${!view.ended && html`<${Failed} store=${store} view=${view} />`}
    ${store.paused && html`<p class="notice" role="status">The view stands still; the call and its alerts go on behind it.</p>`}
    ${view.full && html`<p class="notice">This call is longer than the dashboard keeps: what follows is not shown here.</p>`}
    <div class="call-grid">
      ${view.ended ? html`<${AfterCall} view=${view} reason=${endWords(view.reason)} />`
    : html`<${StatePanel} view=${view} /><${AdvicePanel} view=${view} />`}
      <div class="side"><${AlertPanel} view=${view} asked=${asked} onAcknowledge=${acknowledge} /><${QualityPanel} view=${view} /></div>
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
