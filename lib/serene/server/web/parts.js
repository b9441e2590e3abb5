// Small pieces that several pages show: the state chip, the quality lamp, the sparkline, and the quiet voice that tells
// screen readers what changed.
import {html, useEffect, useRef, useState} from './htm.js';
import {fixed, lookOf, percent, stateWord, words} from './format.js';
import {Icon} from './icons.js';
import {negativeNow} from './model.js';

/** The class that carries a state's colour. */
export function tone(view, state) {
  return `tone-${lookOf(state, Math.max(0, view.states.indexOf(state)))}`;
}

/** Icon + word + confidence. size: "small", "" or "large". */
export function StateChip({view, size = ''}) {
  const look = lookOf(view.state, Math.max(0, view.states.indexOf(view.state)));
  const sure = view.confidence > 0 && !['no_speech', 'off'].includes(view.state);
  return html`<span class="chip ${size} tone-${look}">
    <${Icon} name=${look} size=${size === 'large' ? 44 : size === 'small' ? 18 : 24} />
    <span class="chip-word">${stateWord(view.state)}</span>
    ${sure && html`<span class="chip-figure">${percent(view.confidence)}</span>`}
  </span>`;
}

const lampWords = {good: 'Good', fair: 'Fair', poor: 'Poor'};

/** The worse of both legs, as icon and word. */
export function lampOf(view) {
  const rank = {good: 0, fair: 1, poor: 2};
  const lamps = [view.quality.customer, view.quality.agent].filter(Boolean).map((q) => q.lamp);
  return lamps.reduce((a, b) => ((rank[b] ?? 0) > (rank[a] ?? -1) ? b : a), lamps[0] ?? 'unknown');
}

export function Lamp({lamp, label = ''}) {
  return html`<span class="lamp lamp-${lamp}"><${Icon} name=${lamp} size=${18} />
    <span>${label && html`<span class="hidden">${label} </span>`}${lampWords[lamp] ?? 'Not heard yet'}</span></span>`;
}

export function Severity({alert}) {
  return html`<span class="severity severity-${alert.severity}"><${Icon} name=${alert.severity} size=${18} />
    <span>${words(alert.severity)}</span></span>`;
}

/** The last `span` ms of the unpleasant share as a line, 0 below and 1 above. */
export function Sparkline({view, span = 60000, width = 150, height = 34}) {
  const from = Math.max(0, view.t - span);
  const x = (t) => (width * (t - from)) / span;
  const y = (v) => height - 2 - (height - 4) * v;
  let line = '';
  let last = null;
  let start = null;
  for (const p of view.points.slice(-400)) {
    if (p.t < from) continue;
    line += `${last ? 'L' : 'M'}${x(p.t).toFixed(1)} ${y(p.negative).toFixed(1)}`;
    start ??= p;
    last = p;
  }
  const now = negativeNow(view);
  const label = last ? `Unpleasant share over the last ${span / 1000} seconds: now ${fixed(now, 2)} of 1`
    : 'No speech of the customer in the last minute';
  return html`<svg class="spark" viewBox="0 0 ${width} ${height}" width=${width} height=${height} role="img" aria-label=${label}>
    <path class="spark-base" d="M0 ${height - 1.5}H${width}" />
    <path class="spark-limit" d="M0 ${y(0.5)}H${width}" />
    ${last && html`<path class="spark-area" d="${line}L${x(last.t).toFixed(1)} ${height - 2}L${x(start.t).toFixed(1)} ${height - 2}Z" />
      <path class="spark-line" d=${line} /><circle class="spark-dot" cx=${x(last.t)} cy=${y(last.negative)} r="2.6" />`}
  </svg>`;
}

/**
 * A live region that speaks at most once in `every` ms, and then only the newest text. Over-used live regions make a
 * page unusable for those who hear it.
 */
export function Announcer({text, role = 'status', every = 4000}) {
  const [said, setSaid] = useState(text);
  const last = useRef(0);
  useEffect(() => {
    if (text === said) return undefined;
    const wait = Math.max(0, last.current + every - Date.now());
    const timer = setTimeout(() => {
      last.current = Date.now();
      setSaid(text);
    }, wait);
    return () => clearTimeout(timer);
  }, [text, said]);
  return html`<div class="hidden" role=${role} aria-live=${role === 'alert' ? 'assertive' : 'polite'}
    aria-atomic="true">${said}</div>`;
}

/** Share of a whole as a bar; the number stands beside it, so the bar itself is silent. */
export function Bar({share, className = ''}) {
  return html`<span class="bar ${className}" aria-hidden="true"><span style=${{width: `${Math.round(1000 * share) / 10}%`}}></span></span>`;
}

export function Card({title, children, className = '', aside = null, level = 2}) {
  return html`<section class="card ${className}" aria-label=${title}>
    <header class="card-head">${level === 2 ? html`<h2>${title}</h2>` : html`<h3>${title}</h3>`}${aside}</header>
    ${children}</section>`;
}
