// Calls of one page: views (model.js) kept up to date by the stream (connection.js), with a pause in between.
//
// While paused the stream is still read and its cursor moves on; entries wait in a list and are applied on resume.
import {Connection} from './connection.js';
import {applyEvent, applyInfo, applyStatus, createCall} from './model.js';
import {alertKey, consentKey, Requests} from './requests.js';

const redrawMs = {call: 100, wall: 250};  // many rows need no more
const numbersKept = 20000;

export class Store {
  /** call: follow one call, or null for all of them. changed(): called at most ten times a second (for the wall, four times). */
  constructor(call, changed) {
    this.call = call;
    this.changed = changed;
    this.calls = new Map();
    this.link = {state: 'connecting', wait: 0};
    this.paused = false;
    this.waiting = [];
    this.missing = false;  // the call asked for does not exist
    this.seen = [];        // numbers of the latest entries, in order; a test compares them
    this.requests = new Requests((message) => this.connection?.send(message) ?? false, () => this.redraw());
    this.start();
  }

  async start() {
    const known = this.call === null ? await this.fetchBoot() : await this.fetchCall();
    if (known === null) {
      this.link = {state: this.missing ? 'open' : 'lost', wait: 2};
      this.redraw();
      setTimeout(() => this.start(), 2000);
      return;
    }
    const {n: after, boot} = known;
    this.connection = new Connection({call: this.call, after, boot, on: {
      entries: (list) => this.receive(list),
      restart: () => this.restart(),
      state: (state, wait) => {
        this.link = {state, wait};
        if (state === 'lost') this.requests.lost();
        this.redraw();
      },
    }});
  }

  /** The wall reads all calls from the stream; the name of the server's log it must know before. */
  async fetchBoot() {
    try {
      const answer = await fetch('/api/calls');
      return answer.ok ? {n: 0, boot: String((await answer.json()).boot ?? '')} : null;
    } catch {
      return null;
    }
  }

  /** Reads one call whole; null when the server is away or has no such call. */
  async fetchCall() {
    try {
      const answer = await fetch(`/api/calls/${encodeURIComponent(this.call)}`);
      this.missing = answer.status === 404;
      if (!answer.ok) return null;
      const data = await answer.json();
      const view = createCall(data);
      for (const event of data.events ?? []) applyEvent(view, event);
      this.calls.set(this.call, view);
      this.redraw();
      return {n: Number(data.n) || 0, boot: String(data.boot ?? '')};
    } catch {
      return null;
    }
  }

  /** Documents appear a moment after the end of the call. */
  async refreshInfo(view, tries = 8) {
    try {
      const answer = await fetch(`/api/calls/${encodeURIComponent(view.id)}`);
      if (answer.ok) {
        const {documents, audio} = await answer.json();
        applyInfo(view, {documents, audio});
        this.redraw();
      }
    } catch {
      // the next try says more
    }
    if (!view.documents.length && tries > 0) setTimeout(() => this.refreshInfo(view, tries - 1), 1000);
  }

  restart() {
    this.calls.clear();
    this.waiting = [];
    this.seen = [];
    this.requests.clear();
    this.start();
    this.redraw();
  }

  receive(list) {
    for (const {n, call, event} of list) {
      if (typeof n === 'number') this.seen.push(n);
      if (event) this.requests.settle(call, event, this.paused);
    }
    if (this.seen.length > 2 * numbersKept) this.seen.splice(0, numbersKept);
    if (this.paused) this.waiting.push(...list.filter((e) => !e.status));
    else list.forEach((entry) => this.apply(entry));
    this.redraw();
  }

  apply(entry) {
    const id = String(entry.call ?? '');
    if (!id || (this.call !== null && id !== this.call)) return;
    let view = this.calls.get(id);
    if (!view) this.calls.set(id, view = createCall({id}));
    if (entry.opened) applyInfo(view, entry.opened);
    if (entry.event) applyEvent(view, entry.event);
    if (entry.status) applyStatus(view, entry.status);
    if (entry.full) view.full = true;
    if (entry.closed) {
      view.closed = true;
      ++view.version;
      if (this.call !== null) this.refreshInfo(view);
    }
  }

  setPaused(paused) {
    if (paused === this.paused) return;
    this.paused = paused;
    if (!paused) {
      for (const entry of this.waiting.splice(0)) this.apply(entry);
      this.requests.resumed();
    }
    this.redraw();
  }

  /** What has come since the pause: all events, and how many of them raise an alert. */
  get backlog() {
    const events = this.waiting.filter((e) => e.event);
    return {events: events.length,
      alerts: events.filter((e) => e.event.type === 'alert' && e.event.action === 'raised').length};
  }

  acknowledge(view, alert) {
    const key = alertKey(view.id, alert.id);
    if (this.requests.state(key) !== 'done') this.requests.ask(key, {type: 'acknowledge', call: view.id, alert: alert.id});
  }

  /** Asking for what is so already changes nothing, has no event, and only takes back what did not get out. */
  setConsent(view, given) {
    const key = consentKey(view.id);
    const newest = this.waiting.filter((e) => e.call === view.id && e.event?.type === 'consent').at(-1);
    const now = newest ? newest.event.action === 'given' : view.consent;
    if (now !== given || ['sent', 'unsure'].includes(this.requests.state(key))) {
      this.requests.ask(key, {type: 'consent', call: view.id, given});
      return;
    }
    if (this.requests.state(key) === 'unsent') this.requests.forget(key);
    this.redraw();
  }

  redraw() {
    if (this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.changed();
    }, this.call === null ? redrawMs.wall : redrawMs.call);
  }
}
