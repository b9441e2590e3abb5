// The timeline of a call: legend that is also the readout, two charts, the position control and the sound.
import {html, useEffect, useRef, useState} from './htm.js';
import {clock, clockWords, percent, stateWord} from './format.js';
import {Icon} from './icons.js';
import {pointAt, spanAt} from './model.js';
import {Card, tone} from './parts.js';
import {stackOrder} from './timeline_data.js';
import {TimelineCharts} from './timeline_draw.js';
import {TimelineTables} from './timeline_tables.js';

const windows = [[60000, '1 min'], [120000, '2 min'], [300000, '5 min'], [Infinity, 'Whole call']];

/** The piece of the call in sight: it ends at the live end, or holds the position when that lies before it. */
export function windowOf(view, span, position) {
  if (span === Infinity || (view.ended && view.t <= span)) return {from: 0, to: Math.max(view.t, 10000)};
  const end = Math.max(span, view.t + span * 0.03);
  if (position === null || position >= end - span) return {from: end - span, to: end};
  const from = Math.max(0, position - span * 0.3);
  return {from, to: from + span};
}

/** Sound and position of one call. Returns {position, playing, ...}; position null: at the live end. */
export function usePosition(view, sound) {
  const [position, setPosition] = useState(null);
  const [state, setState] = useState({playing: false, problem: ''});
  useEffect(() => {
    sound.on = {position: setPosition, state: setState};
    return () => sound.stop();
  }, [sound]);
  const seek = (ms) => {
    const to = Math.max(0, Math.min(view.t, ms));
    setPosition(to);
    if (sound.playing) sound.play(to);
  };
  const toggle = () => {
    if (sound.playing) sound.stop();
    else sound.play(position ?? (view.ended ? 0 : Math.max(0, view.t - 2000)));
  };
  const live = () => {
    sound.stop();
    setPosition(null);
  };
  return {position, ...state, seek, toggle, live};
}

function Legend({view, hidden, setHidden, at}) {
  const point = at === null ? view.points.at(-1) : pointAt(view, at, 3000);
  const flip = (name) => {
    const next = new Set(hidden);
    if (!next.delete(name)) next.add(name);
    setHidden(next);
  };
  const order = stackOrder(view).reverse();
  return html`<div class="legend" role="group" aria-label="States shown in the chart">
    ${order.map((s) => html`<button type="button" class="legend-item ${tone(view, s.name)}" key=${s.name}
      aria-pressed=${hidden.has(s.name) ? 'false' : 'true'} onClick=${() => flip(s.name)}>
      <span class="swatch" aria-hidden="true"></span>${stateWord(s.name)}
      <span class="figure">${point ? percent(point.shares[s.place]) : '–'}</span></button>`)}
  </div>`;
}

function Readout({view, at}) {
  const t = at ?? view.t;
  const span = spanAt(view, t);
  return html`<p class="readout"><span class="figure">${clock(t)}</span> ${span ? stateWord(span.state) : ''}${' '}
    ${at === null && !view.ended && html`<span class="muted">· live end</span>`}</p>`;
}

function Scrubber({view, place}) {
  const value = Math.round((place.position ?? view.t) / 1000);
  const last = Math.max(1, Math.round(view.t / 1000));
  const change = (event) => place.seek(1000 * Number(event.target.value));
  const key = (event) => {
    const by = {ArrowLeft: -5, ArrowRight: 5, PageUp: 30, PageDown: -30}[event.key];
    if (by === undefined) return;
    event.preventDefault();
    place.seek((place.position ?? view.t) + 1000 * by);
  };
  return html`<div class="scrubber">
    ${view.audio && html`<button type="button" onClick=${place.toggle} data-test="sound">
      <${Icon} name=${place.playing ? 'stop' : 'play'} size=${16} />${place.playing ? 'Stop sound' : 'Play sound'}</button>`}
    <input type="range" min="0" max=${last} step="1" value=${value} onInput=${change} onKeyDown=${key}
      aria-label="Position in the call" aria-valuetext=${clockWords(1000 * value)} />
    <span class="figure">${clock(place.position ?? view.t)} / ${clock(view.t)}</span>
    ${place.position !== null && !view.ended && html`<button type="button" onClick=${place.live}><${Icon} name="live" size=${14} />Back to live</button>`}
  </div>
  ${place.problem && html`<p class="notice" role="status">${place.problem}</p>`}`;
}

/** What the picture says, for those who do not see it. */
function describe(view, from, to) {
  const parts = view.spans.filter((s) => (s.to ?? view.t) > from && s.from < to)
    .slice(-6).map((s) => `${stateWord(s.state)} from ${clock(s.from)}`);
  return `Customer's states from ${clock(from)} to ${clock(Math.min(to, view.t))}: ${parts.join(', ') || 'nothing yet'}. The tables below hold the figures.`;
}

export function Timeline({view, place}) {
  const upper = useRef(null);
  const lower = useRef(null);
  const charts = useRef(null);
  const [span, setSpan] = useState(120000);
  const [hidden, setHidden] = useState(new Set());
  const [hover, setHover] = useState(null);
  const seek = useRef(place.seek);
  seek.current = place.seek;
  const {from, to} = windowOf(view, span, place.position);

  useEffect(() => {
    const drawing = new TimelineCharts(upper.current, lower.current, {hover: setHover, seek: (ms) => seek.current(ms)});
    charts.current = drawing;
    const recolour = () => drawing.recolour();
    const size = new ResizeObserver(() => drawing.view && drawing.update(drawing.view, drawing.options));
    size.observe(upper.current);
    addEventListener('themechange', recolour);
    return () => {
      size.disconnect();
      removeEventListener('themechange', recolour);
      drawing.destroy();
    };
  }, []);
  useEffect(() => {
    charts.current.update(view, {from, to, hidden, position: place.position});
  }, [view, view.version, from, to, hidden, place.position]);

  const at = hover ?? place.position;
  const aside = html`<div class="segments" role="group" aria-label="Time in sight">${windows.map(([ms, label]) => html`
    <button type="button" aria-pressed=${span === ms ? 'true' : 'false'} onClick=${() => setSpan(ms)}>${label}</button>`)}</div>`;
  return html`<${Card} title="Timeline" className="timeline" aside=${aside}>
    <div class="timeline-head"><${Readout} view=${view} at=${at} /><${Legend} view=${view} hidden=${hidden} setHidden=${setHidden} at=${at} /></div>
    <div role="img" aria-label=${describe(view, from, to)}>
      <div class="plot" ref=${upper}></div><div class="plot" ref=${lower}></div></div>
    <${Scrubber} view=${view} place=${place} />
    <p class="key muted small"><span><span class="key-box key-customer" aria-hidden="true"></span>Customer speaks</span>
      <span><span class="key-box key-agent" aria-hidden="true"></span>Agent speaks (speech activity only)</span>
      <span><span class="key-box key-overlap" aria-hidden="true"></span>Both at once</span>
      <span><span class="key-flag" aria-hidden="true">1</span>Alert raised</span></p>
    <${TimelineTables} view=${view} />
  <//>`;
}
