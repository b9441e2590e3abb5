// What the charts of the timeline draw: colours, the order of the stack, and the columns of numbers for uPlot.
//
// Colours come from the style sheet's custom properties, so that a change of theme needs nothing but a new reading.
import {lookOf} from './format.js';

const gapMs = 1600;       // no window of speech for so long: the areas break off
const holdMs = 450;       // how long a value is held before such a break

/** All colours the charts need, by name. */
export function readColours() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim() || '#888888';
  const names = ['ink', 'muted', 'line', 'surface', 'sunken', 'accent', 'critical', 'warning', 'lane-customer', 'lane-agent',
    'lane-overlap', 'state-neutral', 'state-happy', 'state-sad', 'state-angry', 'state-fearful', 'state-disgust',
    'state-surprised', 'state-boredom', 'state-uncertain', 'state-no_speech', 'state-off', 'state-other1', 'state-other2',
    'state-other3', 'state-other4'];
  return Object.fromEntries(names.map((name) => [name, colour(name)]));
}

function luminance(hex) {
  const part = (i) => {
    const c = parseInt(hex.slice(1 + 2 * i, 3 + 2 * i), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * part(0) + 0.7152 * part(1) + 0.0722 * part(2);
}

/** Black or white, whichever stands out more: at least 4.5 to 1 on any colour. */
export const inkOn = (hex) => (luminance(hex) > 0.179 ? '#101418' : '#ffffff');

/** Bottom to top: the most unpleasant state stands on the base line, where its height is easiest to read. */
export function stackOrder(view) {
  return view.states.map((name, place) => ({name, place, look: lookOf(name, place)}))
    .sort((a, b) => (view.negative[b.name] ?? 0) - (view.negative[a.name] ?? 0) || b.place - a.place);
}

/** Columns for uPlot: x in seconds, then the sums of shares from the highest stack to the lowest. null: a break. */
export function stack(view, order, hidden, from, to) {
  const xs = [];
  const rows = [];
  const islands = [];
  const put = (t, values) => { xs.push(t / 1000); rows.push(values); };
  const points = view.points.filter((p) => p.t >= from - gapMs && p.t <= to + gapMs);
  points.forEach((p, i) => {
    let sum = 0;
    const values = order.map((s) => (sum += hidden.has(s.name) ? 0 : p.shares[s.place] ?? 0));
    const before = points[i - 1];
    if (!before || p.t - before.t > gapMs) {
      islands.push([]);
      put(p.t - holdMs, values);
    }
    islands.at(-1).push({t: p.t, values});
    put(p.t, values);
    const next = points[i + 1];
    if (!next || next.t - p.t > gapMs) {
      put(p.t + holdMs, values);
      put(p.t + holdMs + 1, null);
    }
  });
  const columns = order.map((_, k) => rows.map((values) => (values ? values[order.length - 1 - k] : null)));
  return {data: [xs, ...columns], islands};
}
