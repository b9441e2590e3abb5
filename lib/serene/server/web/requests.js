// What the page has asked of the server and not yet seen happen. An acknowledgement or a consent counts when its event
// comes back over the stream; until then the page says that it waits, and when nothing comes or there is no connection
// it says that too. Nothing is sent a second time by itself: who pressed decides again.

const answerMs = 5000;

export class Requests {
  /** send(message) gives false when nobody is there to hear it. changed(): something is to be drawn. */
  constructor(send, changed) {
    this.send = send;
    this.changed = changed;
    this.open = new Map();
  }

  /** The state of a request: "sent", "unsent", "unsure" (no answer in time), "done" (seen while paused), or "". */
  state(key) {
    return this.open.get(key)?.state ?? '';
  }

  /** Returns whether the message went out. */
  ask(key, message) {
    this.forget(key);
    const sent = this.send(message);
    const request = {message, state: sent ? 'sent' : 'unsent'};
    if (sent) request.timer = setTimeout(() => this.doubt(request), answerMs);
    this.open.set(key, request);
    this.changed();
    return sent;
  }

  doubt(request) {
    clearTimeout(request.timer);
    if (request.state !== 'sent') return;
    request.state = 'unsure';
    this.changed();
  }

  /** The connection broke: what was on its way may not have arrived. */
  lost() {
    for (const request of this.open.values()) this.doubt(request);
  }

  /** An event of the stream, seen even while the view is paused. */
  settle(call, event, paused) {
    let key = '';
    if (event.type === 'alert' && event.action !== 'raised' && event.action !== 'escalated') key = alertKey(call, event.alert);
    if (event.type === 'consent') key = consentKey(call);
    const request = this.open.get(key);
    if (!request || (event.type === 'consent' && (event.action === 'given') !== request.message.given)) return;
    this.forget(key);
    if (paused) this.open.set(key, {...request, state: 'done'});
  }

  /** The view shows all events again. */
  resumed() {
    for (const [key, {state}] of this.open) if (state === 'done') this.open.delete(key);
  }

  forget(key) {
    clearTimeout(this.open.get(key)?.timer);
    this.open.delete(key);
  }

  clear() {
    for (const key of [...this.open.keys()]) this.forget(key);
  }

  /** Messages of a call that did not get through: [{message, state}]. */
  failed(call) {
    return [...this.open.values()].filter((r) => r.message.call === call && ['unsent', 'unsure'].includes(r.state));
  }
}

export const alertKey = (call, alert) => `${call} alert ${alert}`;
export const consentKey = (call) => `${call} consent`;
