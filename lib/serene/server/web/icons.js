// Pictures drawn with lines: faces of the states, severities, lamps, buttons. Each one stands beside a word, so all are
// hidden from assistive technology.
import {html} from './htm.js';

const eyes = html`<circle cx="9" cy="10" r="1.1" class="dot" /><circle cx="15" cy="10" r="1.1" class="dot" />`;
const round = html`<circle cx="12" cy="12" r="9.2" />`;

const face = (...lines) => html`${round}${eyes}${lines.map((d) => html`<path d=${d} />`)}`;

const drawings = {
  neutral: face('M8.5 15.5h7'),
  happy: face('M8 14.5c1.2 2 2.5 2.8 4 2.8s2.8-.8 4-2.8'),
  sad: face('M8.5 16.8c1-1.6 2.1-2.3 3.5-2.3s2.5.7 3.5 2.3', 'M7.3 8.2l2-1.1', 'M16.7 8.2l-2-1.1'),
  angry: face('M8.5 16.6c1-1.3 2.1-1.9 3.5-1.9s2.5.6 3.5 1.9', 'M6.9 6.9l3.4 1.5', 'M17.1 6.9l-3.4 1.5'),
  fearful: html`${round}${eyes}<path d="M8 16.6l1.3-1.4 1.4 1.4 1.3-1.4 1.3 1.4 1.4-1.4 1.3 1.4" />
    <path d="M7.2 7.8c.6-.8 1.3-1.1 2.2-1.1M16.8 7.8c-.6-.8-1.3-1.1-2.2-1.1" />`,
  disgust: face('M8.2 15.2c1.3-1.3 2.5 1.3 3.8 0s2.5 1.3 3.8 0', 'M7.2 7.6l2.8.3', 'M16.8 7.6l-2.8.3'),
  surprised: html`${round}${eyes}<circle cx="12" cy="15.6" r="2" />
    <path d="M7.3 7.5c.5-.7 1.1-1 1.9-1M16.7 7.5c-.5-.7-1.1-1-1.9-1" />`,
  boredom: html`${round}<path d="M7.6 10h2.8M13.6 10h2.8M9 15.8l6-1" />`,
  uncertain: html`<circle cx="12" cy="12" r="9.2" stroke-dasharray="3.4 2.4" />
    <path d="M9.5 9.6c.2-1.5 1.2-2.3 2.6-2.3 1.5 0 2.5.9 2.5 2.2 0 2-2.5 2.1-2.5 4.1" /><circle cx="12.1" cy="16.4" r="1.1" class="dot" />`,
  no_speech: html`<circle cx="12" cy="12" r="9.2" stroke-dasharray="1.6 2.8" /><path d="M8 12h.01M12 12h.01M16 12h.01" stroke-width="2.4" />`,
  off: html`${round}<path d="M5.6 5.6l12.8 12.8" />`,
  other1: face('M9 15h6'), other2: face('M9 16l6-1.5'), other3: face('M9 14.5l6 1.5'),
  other4: html`${round}${eyes}<path d="M9 14.5h6v2H9z" />`,
  info: html`${round}<path d="M12 11v5.5" /><circle cx="12" cy="7.7" r="1.2" class="dot" />`,
  warning: html`<path d="M12 3.2L21.5 20H2.5z" /><path d="M12 9.5v5" /><circle cx="12" cy="17.2" r="1.2" class="dot" />`,
  critical: html`<path d="M8 2.8h8L21.2 8v8L16 21.2H8L2.8 16V8z" /><path d="M12 7v6.5" /><circle cx="12" cy="16.8" r="1.2" class="dot" />`,
  good: html`${round}<path d="M7.8 12.4l2.9 2.9 5.6-6" />`,
  fair: html`${round}<path d="M7.5 12.8c1.5-2 3-2 4.5-.6s3 1.4 4.5-.6" />`,
  poor: html`${round}<path d="M8.6 8.6l6.8 6.8M15.4 8.6l-6.8 6.8" />`,
  unknown: html`${round}<path d="M8.5 12h7" />`,
  rising: html`<path d="M4 16.5l6-6 3.5 3.5L20 7.5M14.8 7.5H20v5.2" />`,
  falling: html`<path d="M4 7.5l6 6 3.5-3.5 6.5 6.5M14.8 16.5H20v-5.2" />`,
  steady: html`<path d="M4 12h16M15.5 7.5L20 12l-4.5 4.5" />`,
  play: html`<path d="M7.5 4.8l11 7.2-11 7.2z" class="solid" />`,
  stop: html`<rect x="6" y="6" width="12" height="12" rx="1.5" class="solid" />`,
  pause: html`<path d="M8.5 5v14M15.5 5v14" stroke-width="3.2" />`,
  check: html`<path d="M5 12.8l4.6 4.6L19.5 7" />`,
  bulb: html`<path d="M9 17.5h6M10 20.8h4M12 3a6.3 6.3 0 0 0-3.6 11.5c.5.4.6 1 .6 1.5v1.5h6V16c0-.5.1-1.1.6-1.5A6.3 6.3 0 0 0 12 3z" />`,
  sun: html`<circle cx="12" cy="12" r="4.2" /><path d="M12 2.5v2.2M12 19.3v2.2M2.5 12h2.2M19.3 12h2.2M5.3 5.3l1.5 1.5M17.2 17.2l1.5 1.5M18.7 5.3l-1.5 1.5M6.8 17.2l-1.5 1.5" />`,
  moon: html`<path d="M19.5 14.3A8 8 0 0 1 9.7 4.5a8 8 0 1 0 9.8 9.8z" />`,
  auto: html`${round}<path d="M12 2.8a9.2 9.2 0 0 1 0 18.4z" class="solid" />`,
  help: html`${round}<path d="M9.6 9.7c.2-1.5 1.2-2.2 2.5-2.2 1.5 0 2.4.9 2.4 2.1 0 1.9-2.4 2-2.4 3.9" /><circle cx="12.1" cy="16.6" r="1.1" class="dot" />`,
  wave: html`<path d="M3 12h2.5l2-5 3 11 3-14 2.6 11 1.7-3H21" />`,
  back: html`<path d="M14.5 5.5L8 12l6.5 6.5" />`,
  document: html`<path d="M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6" />`,
  up: html`<path d="M12 19V5M6 11l6-6 6 6" />`,
  live: html`<circle cx="12" cy="12" r="5" class="dot" />`,
};

export function Icon({name, size = 20}) {
  return html`<svg class="icon" viewBox="0 0 24 24" width=${size} height=${size} fill="none" stroke="currentColor"
    stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">
    ${drawings[name] ?? drawings.unknown}</svg>`;
}
