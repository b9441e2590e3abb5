// Which page this is, by the path: / the wall, /call/ID the page of one call, /widget/ID the small one for the agent.
// A page loads its own modules only; the charts come with the page of a call.
import {html, render} from './htm.js';
import {applyTheme} from './shell.js';
import {Store} from './store.js';

function route(path) {
  const [, page, id] = path.match(/^\/(call|widget)\/([^/]+)\/?$/) ?? [];
  try {
    return {page: page ?? 'wall', id: id === undefined ? null : decodeURIComponent(id)};
  } catch {
    return {page: 'wall', id: null};
  }
}

/** uPlot comes as a classic script that leaves one global name. */
function loadCharts() {
  return new Promise((done, fail) => {
    const script = document.createElement('script');
    script.src = '/assets/uplot.js';
    script.onload = done;
    script.onerror = () => fail(new Error('the charts could not be loaded'));
    document.head.append(script);
  });
}

const pages = {
  wall: async () => (await import('./wall.js')).Wall,
  call: async () => {
    await loadCharts();
    return (await import('./call_page.js')).CallPage;
  },
  widget: async () => (await import('./widget.js')).Widget,
};

const {page, id} = route(location.pathname);
document.documentElement.dataset.page = page;
applyTheme();

const root = document.getElementById('app');
const store = new Store(id, draw);
globalThis.serene = store;  // for the curious, and for the test that compares what arrived
let Page = null;

function draw() {
  if (Page) render(html`<${Page} store=${store} id=${id} />`, root);
}
pages[page]().then((found) => {
  Page = found;
  draw();
}, (error) => {
  root.textContent = `The page cannot be shown: ${error.message}. Reload to try again.`;
});
