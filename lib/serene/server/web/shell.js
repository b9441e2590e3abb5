// The frame of a page: top bar, connection, pause, theme, help; and the keys.
import {html, useEffect, useRef, useState} from './htm.js';
import {Icon} from './icons.js';

const themes = ['auto', 'light', 'dark'];
const themeNames = {auto: 'Theme: system', light: 'Theme: light', dark: 'Theme: dark'};
const themeIcons = {auto: 'auto', light: 'sun', dark: 'moon'};

// A browser may forbid storage; then choices last as long as the page.
const kept = new Map();
export function recall(key, other) {
  try {
    return localStorage.getItem(`serene.${key}`) ?? kept.get(key) ?? other;
  } catch {
    return kept.get(key) ?? other;
  }
}
export function keep(key, value) {
  kept.set(key, value);
  try {
    localStorage.setItem(`serene.${key}`, value);
  } catch {
    // the map above has it
  }
}

const dark = matchMedia('(prefers-color-scheme: dark)');
dark.addEventListener('change', () => applyTheme());

/** Puts the theme on the document, the system's when none is chosen; charts listen for the event. */
export function applyTheme() {
  const theme = recall('theme', 'auto');
  document.documentElement.dataset.theme = ['light', 'dark'].includes(theme) ? theme : dark.matches ? 'dark' : 'light';
  dispatchEvent(new Event('themechange'));
}

export function nextTheme() {
  const theme = themes[(themes.indexOf(recall('theme', 'auto')) + 1) % themes.length];
  keep('theme', theme);
  applyTheme();
  return theme;
}

function ThemeButton() {
  const [theme, setTheme] = useState(recall('theme', 'auto'));
  useEffect(() => {
    const listen = () => setTheme(recall('theme', 'auto'));
    addEventListener('themechange', listen);
    return () => removeEventListener('themechange', listen);
  }, []);
  return html`<button class="quiet" type="button" onClick=${nextTheme} title=${themeNames[theme]}>
    <${Icon} name=${themeIcons[theme]} /><span class="hidden">${themeNames[theme]}, change</span></button>`;
}

/** "Live", "Connecting" or "Connection lost, trying again". The word is announced, politely. */
export function LinkState({store}) {
  const {state} = store.link;
  const wordOf = {open: 'Connected', connecting: 'Connecting…', lost: 'Connection lost, trying again'};
  return html`<span class="link link-${state}" role="status"><span class="link-dot" aria-hidden="true"></span>
    <span class="link-word">${wordOf[state]}</span></span>`;
}

export function PauseButton({store}) {
  const {events, alerts} = store.backlog;
  return html`<button type="button" class=${store.paused ? 'primary' : ''} aria-pressed=${store.paused ? 'true' : 'false'}
    onClick=${() => store.setPaused(!store.paused)} data-test="pause">
    <${Icon} name=${store.paused ? 'play' : 'pause'} size=${16} />
    ${store.paused ? 'Resume live view' : 'Pause live view'}
    ${store.paused && html`<span class="count">${events} new${alerts ? `, ${alerts} ${alerts === 1 ? 'alert' : 'alerts'}` : ''}</span>`}
  </button>`;
}

const keys = [
  ['Space', 'pause or resume the live view'], ['A', 'acknowledge the newest open alert'],
  ['P', 'play or stop the sound'], ['← →', 'five seconds back or on, when the position has the focus'],
  ['L', 'back to the live end of the timeline'], ['↑ ↓', 'previous or next call on the wall'],
  ['W', 'the wall with all calls'], ['T', 'light, dark or system theme'], ['?', 'this help'],
];

function Help({dialog}) {
  const [on, setOn] = useState(recall('keys', 'on') === 'on');
  const change = (event) => {
    setOn(event.target.checked);
    keep('keys', event.target.checked ? 'on' : 'off');
  };
  return html`<dialog ref=${dialog} class="help" aria-labelledby="help-title">
    <h2 id="help-title">Keys and colours</h2>
    <dl class="keys">${keys.map(([key, what]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${what}</dd></div>`)}</dl>
    <label class="check"><input type="checkbox" checked=${on} onChange=${change} /> Single keys work while nothing has the focus</label>
    <p>Every colour has a word and a picture beside it. Percentages say how sure the recogniser is of what a listener would
      call the voice, not what a person feels. It hears the customer only; of the agent it knows when there is speech.</p>
    <form method="dialog"><button class="primary" autofocus>Close</button></form>
  </dialog>`;
}

/** Keys of one page: {" ": action, "a": action}. None fires while a control has the focus or a modifier is held. */
export function useKeys(actions) {
  const latest = useRef(actions);
  latest.current = actions;
  useEffect(() => {
    const listen = (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
      if (recall('keys', 'on') !== 'on' || document.querySelector('dialog[open]')) return;
      const target = document.activeElement;
      const idle = !target || target === document.body || target.tagName === 'MAIN';
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      const typing = target && (target.matches('input, select, textarea') || target.isContentEditable);
      if (typing || (!idle && [' ', 'Enter'].includes(key))) return;
      const action = latest.current[key];
      if (!action) return;
      event.preventDefault();
      action();
    };
    addEventListener('keydown', listen);
    return () => removeEventListener('keydown', listen);
  }, []);
}

export function Shell({store, children, actions = {}, wall = false}) {
  const dialog = useRef(null);
  const help = () => dialog.current?.showModal();
  useKeys({'?': help, t: nextTheme, w: () => location.assign('/'), ' ': () => store.setPaused(!store.paused), ...actions});
  return html`
    <a class="skip" href="#content">Skip to the content</a>
    <header class="top">
      <a class="brand" href="/" aria-label="serene, all calls"><${Icon} name="wave" size=${22} /><span>serene</span></a>
      ${!wall && html`<nav aria-label="Pages"><a class="button quiet" href="/"><${Icon} name="back" size=${16} />All calls</a></nav>`}
      <span class="grow"></span>
      <${LinkState} store=${store} />
      <${ThemeButton} />
      <button class="quiet" type="button" onClick=${help} title="Keys and colours"><${Icon} name="help" /><span class="hidden">Help: keys and colours</span></button>
    </header>
    <main id="content" tabindex="-1">${children}</main>
    <${Help} dialog=${dialog} />`;
}
