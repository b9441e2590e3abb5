// The reduction of events to what the pages show, and the lines that never come twice: no browser needed.
//   node tests/dashboard/model_test.mjs
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import {clock, endWords, fixed, lookOf, percent, seconds, stateWord} from '../../lib/serene/server/web/format.js';
import {activeAlerts, applyEvent, applyStatus, createCall, negativeNow, pointAt, spanAt, summarize, urgency, waitingAlerts}
  from '../../lib/serene/server/web/model.js';
import {stack, stackOrder} from '../../lib/serene/server/web/timeline_data.js';

const lines = fs.readFileSync(new URL('rising_anger.jsonl', import.meta.url), 'utf8').trim().split('\n').map((l) => JSON.parse(l));
const at = (t) => lines.filter((e) => e.t_ms <= t).reduce((view, e) => applyEvent(view, e), createCall({id: 'a'}));

test('the recorded call has every type of event and falls in time', () => {
  const types = new Set(lines.map((e) => e.type));
  for (const type of ['call', 'speech', 'overlap', 'silence', 'emotion', 'state', 'trend', 'alert', 'advice', 'quality', 'consent']) {
    assert.ok(types.has(type), type);
  }
  lines.forEach((e, i) => {
    assert.equal(e.seq, i);
    if (i) assert.ok(e.t_ms >= lines[i - 1].t_ms);
  });
});

test('states follow the call', () => {
  assert.equal(at(1000).state, 'no_speech');
  assert.equal(at(9000).state, 'neutral');
  assert.equal(at(18000).state, 'uncertain');
  assert.equal(at(35000).state, 'angry');
  assert.equal(at(90000).state, 'happy');
  assert.ok(negativeNow(at(35000)) > 0.7);
  assert.ok(negativeNow(at(90000)) < 0.2);
  assert.equal(spanAt(at(90000), 40000).state, 'angry');
});

test('an alert rises, escalates, is acknowledged and clears', () => {
  assert.equal(waitingAlerts(at(29000)).length, 0);
  const raised = at(34000);
  assert.equal(waitingAlerts(raised)[0].severity, 'critical');
  assert.ok(urgency(raised) > 8);
  const both = at(54000);
  assert.deepEqual(both.alerts.map((a) => a.id), [1, 2]);
  assert.ok(both.alerts[1].escalatedAt > 0 && both.alerts[1].supervisor);
  const seen = at(60000);
  assert.equal(activeAlerts(seen).length, 2);
  assert.equal(waitingAlerts(seen).length, 1);
  const cleared = at(90000);
  assert.equal(activeAlerts(cleared).length, 0);
  assert.match(cleared.alerts[0].reason, /anger/, 'the evidence stays when an alert clears without one');
});

test('an acknowledgement counts once', () => {
  const view = at(34000);
  const alert = {...lines.find((e) => e.type === 'alert'), action: 'acknowledged', t_ms: 35000};
  applyEvent(view, alert);
  applyEvent(view, {...alert, t_ms: 36000});
  assert.equal(view.alerts[0].acknowledgedAt, 35000);
  assert.equal(view.alerts.length, 1);
});

test('advice is one at a time', () => {
  assert.match(at(33000).advice.text, /Let them finish/);
  assert.equal(at(50000).advice, null);
  assert.equal(at(95000).advice, null);
  assert.equal(at(95000).adviceLog.length, lines.filter((e) => e.type === 'advice' && e.action === 'shown').length);
});

test('lanes: speech, overlap and silence open and close', () => {
  const open = at(30000).speech.customer.at(-1);
  assert.equal(open.to, null);
  const whole = at(95000);
  assert.ok([...whole.speech.customer, ...whole.speech.agent, ...whole.overlaps, ...whole.silences].every((s) => s.to >= s.from));
  assert.equal(whole.overlaps.length, 2);
  assert.equal(whole.silences.length, 1);
});

test('refused consent turns recognition off, and on again', () => {
  const view = at(35000);
  applyEvent(view, {t_ms: 35020, type: 'consent', action: 'withdrawn'});
  applyEvent(view, {t_ms: 35020, type: 'state', state: 'no_speech', previous: 'angry', confidence: 0});
  assert.equal(view.state, 'off');
  assert.equal(negativeNow(view), 0);
  applyEvent(view, {t_ms: 40000, type: 'consent', action: 'given'});
  assert.equal(view.state, 'no_speech');
});

test('the summary adds up', () => {
  const s = summarize(at(95000));
  assert.ok(Math.abs(s.shares.reduce((sum, x) => sum + x.share, 0) - 1) < 1e-9);
  assert.equal(s.shares[0].state, 'angry');
  assert.ok(s.longest.to - s.longest.from > 25000);
  assert.equal(s.talk.customer, lines.at(-1).customer_speech_ms);
});

test('hostile events change nothing and stop nothing', () => {
  const view = at(35000);
  const before = JSON.stringify({...view, version: 0, t: 0});
  for (const event of [null, 3, 'x', {}, {type: 'nothing'}, {type: 'toString'}, {type: '__proto__'}, {type: 'constructor'}, {type: 'emotion'}, {type: 'emotion', probabilities: 7},
    {type: 'speech', leg: '__proto__', action: 'start'}, {type: 'quality', leg: 'nobody'}, {type: 'overlap', action: 'what'}]) {
    applyEvent(view, event);
  }
  assert.equal(JSON.stringify({...view, version: 0, t: 0}), before);
  applyEvent(view, {type: 'emotion', t_ms: NaN, probabilities: {angry: 'much', neutral: 1e9}});
  assert.ok(view.points.at(-1).shares.every((x) => x >= 0 && x <= 1));
  applyStatus(view, {t_ms: 'late', latency_ms: {last: null}});
  assert.ok(Number.isFinite(view.t));
});

test('points are found by time', () => {
  const view = at(95000);
  const p = pointAt(view, 30000);
  assert.ok(p.t <= 30000 && view.points.every((q) => q.t <= p.t || q.t > 30000));
  assert.equal(pointAt(view, 10), null);
  assert.equal(pointAt(view, 64000, 3000), null);
});

test('numbers as people read them', () => {
  assert.deepEqual([clock(0), clock(83500), clock(3723000), clock(NaN), clock(-5)], ['0:00', '1:23', '1:02:03', '0:00', '0:00']);
  assert.equal(percent(0.724), '72\u202f%');
  assert.equal(seconds(4500), '4.5\u202fs');
  assert.equal(fixed(-1.25, 1), '\u22121.3');
  assert.equal(fixed(NaN), '–');
  assert.equal(stateWord('no_speech'), 'No speech');
  assert.equal(stateWord('constructor'), 'Constructor');
  assert.equal(lookOf('calm'), 'neutral');
  assert.match(lookOf('proud', 9), /^other[1-4]$/);
  assert.equal(endWords('hang_up'), 'Customer hung up');
});

test('areas stack to the whole and break where nobody spoke', () => {
  const view = at(95000);
  const order = stackOrder(view);
  assert.equal(order[0].name, 'angry', 'the most unpleasant state stands on the base line');
  const {data, islands} = stack(view, order, new Set(), 0, 95000);
  assert.equal(data.length, order.length + 1);
  assert.ok(data[0].every((x, i) => i === 0 || x >= data[0][i - 1]), 'time never falls');
  assert.ok(data[1].every((v) => v === null || Math.abs(v - 1) < 0.01), 'the highest line is the sum');
  assert.equal(data[1].filter((v) => v === null).length, islands.length);
  assert.equal(islands.length, 6);
  const without = stack(view, order, new Set(['angry']), 0, 95000).data;
  assert.ok(without.at(-1).every((v) => v === null || v === 0), 'a hidden state has no height');
});
