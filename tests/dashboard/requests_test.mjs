// What was pressed and has not yet happened (requests.js), without a browser: node --test.
import assert from 'node:assert/strict';
import test from 'node:test';
import {alertKey, consentKey, Requests} from '../../lib/serene/server/web/requests.js';

const acknowledge = {type: 'acknowledge', call: 'a', alert: 3};
const objects = {type: 'consent', call: 'a', given: false};

/** Requests over a line that is there or not; drawn counts what would be shown anew. */
function line() {
  const at = {up: true, sent: [], drawn: 0};
  at.requests = new Requests((message) => at.up && Boolean(at.sent.push(message)), () => ++at.drawn);
  return at;
}

test('an acknowledgement waits for its event', () => {
  const {requests, sent} = line();
  assert.equal(requests.ask(alertKey('a', 3), acknowledge), true);
  assert.deepEqual(sent, [acknowledge]);
  assert.equal(requests.state(alertKey('a', 3)), 'sent');
  requests.settle('a', {type: 'alert', action: 'escalated', alert: 3}, false);
  requests.settle('b', {type: 'alert', action: 'acknowledged', alert: 3}, false);
  requests.settle('a', {type: 'alert', action: 'acknowledged', alert: 2}, false);
  assert.equal(requests.state(alertKey('a', 3)), 'sent');
  assert.deepEqual(requests.failed('a'), []);
  requests.settle('a', {type: 'alert', action: 'acknowledged', alert: 3}, false);
  assert.equal(requests.state(alertKey('a', 3)), '');
});

test('without a connection nothing is sent, and that stays to be seen', () => {
  const at = line();
  at.up = false;
  assert.equal(at.requests.ask(consentKey('a'), objects), false);
  assert.deepEqual(at.requests.failed('a').map((r) => [r.message, r.state]), [[objects, 'unsent']]);
  assert.deepEqual(at.requests.failed('b'), []);
  assert.equal(at.drawn, 1);
  at.up = true;
  at.requests.ask(consentKey('a'), objects);
  assert.deepEqual(at.requests.failed('a'), []);
  at.requests.clear();
});

test('a connection that breaks leaves a doubt, which the event takes away', () => {
  const {requests} = line();
  requests.ask(consentKey('a'), objects);
  requests.lost();
  assert.equal(requests.failed('a')[0].state, 'unsure');
  requests.settle('a', {type: 'consent', action: 'given'}, false);
  assert.equal(requests.state(consentKey('a')), 'unsure');
  requests.settle('a', {type: 'consent', action: 'withdrawn'}, false);
  assert.deepEqual(requests.failed('a'), []);
});

test('no answer in time leaves a doubt', (context) => {
  const {setTimeout: before} = globalThis;
  context.after(() => { globalThis.setTimeout = before; });
  let late = null;
  globalThis.setTimeout = (then) => { late = then; };
  const at = line();
  at.requests.ask(alertKey('a', 3), acknowledge);
  late();
  assert.equal(at.requests.state(alertKey('a', 3)), 'unsure');
  assert.equal(at.drawn, 2);
});

test('while paused the answer is kept until the view goes on', () => {
  const {requests} = line();
  requests.ask(alertKey('a', 3), acknowledge);
  requests.settle('a', {type: 'alert', action: 'acknowledged', alert: 3}, true);
  assert.equal(requests.state(alertKey('a', 3)), 'done');
  assert.deepEqual(requests.failed('a'), []);
  requests.resumed();
  assert.equal(requests.state(alertKey('a', 3)), '');
});
