// The agent's widget: 320 by 180 pixels, one state, one sentence.
import {html, useEffect} from './htm.js';
import {clock, stateWord} from './format.js';
import {Icon} from './icons.js';
import {waitingAlerts} from './model.js';
import {Announcer, Lamp, lampOf, StateChip} from './parts.js';

/** The one sentence: advice, else the newest open alert, else that there is nothing to say. */
function sentence(view) {
  if (view.ended) return {text: 'The call has ended.', kind: 'calm', reason: ''};
  if (!view.consent) return {text: 'The customer objects: recognition is off.', kind: 'calm', reason: ''};
  if (view.advice) return {text: view.advice.text, kind: 'advice', reason: view.advice.reason};
  const alert = waitingAlerts(view).at(-1);
  if (alert) return {text: alert.text, kind: 'alert', reason: alert.reason};
  return {text: 'Nothing to advise.', kind: 'calm', reason: ''};
}

export function Widget({store, id}) {
  const view = store.calls.get(id);
  useEffect(() => {
    document.title = view ? `${stateWord(view.state)} · serene` : 'serene';
  }, [view?.state]);
  if (!view) {
    return html`<main class="widget"><h1 class="hidden">Call ${id}</h1>
      <p role="status">${store.missing ? 'There is no such call.' : 'Connecting…'}</p></main>`;
  }
  const {text, kind, reason} = sentence(view);
  const lost = store.link.state === 'lost';
  return html`<main class="widget">
    <h1 class="hidden">${view.title || view.id}</h1>
    <div class="widget-head"><${StateChip} view=${view} /><span class="figure">${clock(view.t)}</span></div>
    <p class="widget-text widget-${kind} ${text.length > 60 ? 'widget-long' : ''}">${kind !== 'calm' && html`<${Icon} name=${kind === 'advice' ? 'bulb' : 'warning'} size=${22} />`}
      <span>${text}${reason && html`<span class="why">${reason}</span>`}</span></p>
    <div class="widget-foot"><${Lamp} lamp=${lampOf(view)} label="Audio quality:" />
      <span class="grow"></span>
      ${lost ? html`<span class="link link-lost">Reconnecting…</span>`
    : html`<a href="/call/${encodeURIComponent(view.id)}" target="_blank" rel="noopener">Open call</a>`}</div>
    <${Announcer} text=${`Customer: ${stateWord(view.state)}. ${text}`} />
  </main>`;
}
