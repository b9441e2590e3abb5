// What a call looks like to the pages: events go in, one by one, in the order of the log; a view comes out.
//
// Nothing here touches the page, the clock or the network, so that it runs under node as it does in a browser. A view
// is changed in place and `version` grows with every change. Times are milliseconds of call audio. Hostile or unknown
// events are ignored: a page must never stop because of one line.

const number = (x, other = 0) => (typeof x === 'number' && Number.isFinite(x) ? x : other);
const text = (x, other = '') => (typeof x === 'string' ? x : other);

/** An empty view. info: the CallInfo of the server, all fields optional. */
export function createCall(info = {}) {
  const view = {
    id: '', title: '', startedAt: '', source: '', model: '', consentMode: '',
    states: [], negative: {}, agentLeg: true,
    version: 0, t: 0, ended: false, closed: false, reason: '', totals: null,
    state: 'no_speech', stateSince: 0, confidence: 0,
    probabilities: {}, points: [], spans: [],
    trend: null,
    speech: {customer: [], agent: []}, overlaps: [], silences: [],
    alerts: [], advice: null, adviceLog: [],
    quality: {customer: null, agent: null},
    consent: true, consentLog: [], latency: null, documents: [], audio: false, full: false,
  };
  applyInfo(view, info);
  return view;
}

/** Fields of CallInfo over those known so far. */
export function applyInfo(view, info) {
  view.id = text(info.id, view.id);
  view.title = text(info.title, view.title);
  view.startedAt = text(info.started_at, view.startedAt);
  view.source = text(info.source, view.source);
  view.model = text(info.model, view.model);
  view.consentMode = text(info.consent, view.consentMode);
  if (Array.isArray(info.states)) view.states = info.states.map(String);
  if (Array.isArray(info.documents)) view.documents = info.documents.map(String);
  if (typeof info.audio === 'boolean') view.audio = info.audio;
  if (info.ended === true) view.closed = true;
  view.t = Math.max(view.t, number(info.t_ms));
  ++view.version;
}

/** The live figures that come beside the log. */
export function applyStatus(view, status) {
  if (!view.ended) view.t = Math.max(view.t, number(status.t_ms));
  const l = status.latency_ms;
  // A replay measures nothing and sends zeros.
  if (l && typeof l === 'object' && number(l.p99) > 0) view.latency = {last: number(l.last), median: number(l.median), p99: number(l.p99)};
  ++view.version;
}

/** Weighted share of the unpleasant states, 0 to 1. */
export function negativeOf(view, probabilities) {
  let sum = 0;
  for (const name of view.states) sum += number(probabilities[name]) * number(view.negative[name]);
  return Math.min(1, Math.max(0, sum));
}

/** One event of the log. Returns the view. */
export function applyEvent(view, event) {
  if (!event || typeof event !== 'object') return view;
  if (!Object.hasOwn(handlers, event.type)) return view;
  const handler = handlers[event.type];
  const t = Math.max(view.t, number(event.t_ms));
  handler(view, event, number(event.t_ms, view.t));
  view.t = view.ended ? number(event.t_ms, t) : t;
  ++view.version;
  return view;
}

function open(list, from) {
  list.push({from, to: null});
}

function close(list, to) {
  const last = list[list.length - 1];
  if (last && last.to === null) last.to = Math.max(last.from, to);
}

function enterState(view, state, t, confidence) {
  close(view.spans, t);
  view.spans.push({state, from: t, to: null, confidence});
  view.state = state;
  view.stateSince = t;
  view.confidence = confidence;
}

function onCall(view, event, t) {
  if (event.action === 'start') {
    if (Array.isArray(event.states)) view.states = event.states.map(String);
    if (event.negative && typeof event.negative === 'object') view.negative = event.negative;
    view.model = text(event.model, view.model);
    view.agentLeg = event.agent_leg !== false;
    view.consent = event.consent !== false;
    enterState(view, view.consent ? 'no_speech' : 'off', t, 0);
  } else if (event.action === 'end') {
    view.ended = true;
    view.reason = text(event.reason);
    view.totals = {customer: number(event.customer_speech_ms), agent: number(event.agent_speech_ms)};
    for (const list of [view.spans, view.speech.customer, view.speech.agent, view.overlaps, view.silences]) close(list, t);
    view.advice = null;
  }
}

function stretch(list, event, t) {
  const at = number(event.at_ms, t);
  if (event.action === 'start') open(list, at);
  if (event.action === 'stop') close(list, at);
}

function onEmotion(view, event, t) {
  const p = event.probabilities;
  if (!p || typeof p !== 'object') return;
  view.probabilities = p;
  view.confidence = number(event.confidence);
  const shares = view.states.map((name) => Math.min(1, Math.max(0, number(p[name]))));
  view.points.push({t, shares, negative: negativeOf(view, p), state: text(event.state), confidence: view.confidence});
}

function onAlert(view, event, t) {
  const id = number(event.alert, -1);
  let alert = view.alerts.find((a) => a.id === id);
  if (!alert) {
    alert = {id, rule: text(event.rule), severity: text(event.severity, 'info'), text: text(event.text),
      raisedAt: t, escalatedAt: null, acknowledgedAt: null, clearedAt: null, supervisor: false,
      reason: '', value: 0, forMs: 0};
    view.alerts.push(alert);
  }
  // What raised or escalated it stays the evidence: the figures of an acknowledgement say nothing new.
  if (event.action === 'raised' || event.action === 'escalated' || !alert.reason) {
    alert.reason = text(event.reason);
    alert.value = number(event.value);
    alert.forMs = number(event.for_ms);
  }
  if (event.supervisor === true) alert.supervisor = true;
  if (event.action === 'escalated') alert.escalatedAt = t;
  if (event.action === 'acknowledged') alert.acknowledgedAt ??= t;
  if (event.action === 'cleared') alert.clearedAt = t;
}

function onAdvice(view, event, t) {
  if (event.action === 'shown') {
    view.advice = {rule: text(event.rule), text: text(event.text), reason: text(event.reason), since: t};
    view.adviceLog.push({...view.advice, until: null});
  } else if (event.action === 'withdrawn') {
    const last = view.adviceLog[view.adviceLog.length - 1];
    if (last) last.until = t;
    view.advice = null;
  }
}

function onConsent(view, event, t) {
  const given = event.action === 'given';
  view.consentLog.push({t, given});
  if (given === view.consent) return;
  view.consent = given;
  enterState(view, given ? 'no_speech' : 'off', t, 0);
  if (!given) view.probabilities = {};
}

const handlers = {
  call: onCall,
  speech: (view, event, t) => {
    if (event.leg === 'customer' || event.leg === 'agent') stretch(view.speech[event.leg], event, t);
  },
  overlap: (view, event, t) => stretch(view.overlaps, event, t),
  silence: (view, event, t) => stretch(view.silences, event, t),
  emotion: onEmotion,
  // Without consent a session falls silent by the state no_speech; the pages say why.
  state: (view, event, t) => {
    if (view.consent) enterState(view, text(event.state, 'uncertain'), t, number(event.confidence));
  },
  trend: (view, event, t) => {
    view.trend = {direction: text(event.direction, 'steady'), negative: number(event.negative),
      slope: number(event.slope_per_min), t};
  },
  alert: onAlert,
  advice: onAdvice,
  quality: (view, event, t) => {
    if (event.leg === 'customer' || event.leg === 'agent') view.quality[event.leg] = {...event, t};
  },
  consent: onConsent,
};

/** Alerts nobody has acknowledged and that still hold. */
export function waitingAlerts(view) {
  return view.alerts.filter((a) => a.acknowledgedAt === null && a.clearedAt === null);
}

/** Alerts that still hold, acknowledged or not. */
export function activeAlerts(view) {
  return view.alerts.filter((a) => a.clearedAt === null);
}

/** The present level of unpleasant states, 0 to 1. */
export function negativeNow(view) {
  return view.points.length && view.consent ? view.points[view.points.length - 1].negative : 0;
}

/** How urgently a supervisor should look; larger comes first. */
export function urgency(view) {
  const waiting = waitingAlerts(view);
  const critical = waiting.some((a) => a.severity === 'critical') ? 8 : 0;
  const escalated = waiting.some((a) => a.escalatedAt !== null || a.supervisor) ? 4 : 0;
  return critical + escalated + (waiting.length ? 2 : 0) + negativeNow(view);
}

/** The last emotion at or before t, or null; nothing when it is older than max_age. */
export function pointAt(view, t, maxAge = Infinity) {
  let low = 0;
  let high = view.points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (view.points[middle].t <= t) low = middle + 1;
    else high = middle;
  }
  const point = view.points[low - 1];
  return point && t - point.t <= maxAge ? point : null;
}

/** The state at t: a span or null. */
export function spanAt(view, t) {
  for (let i = view.spans.length; i-- > 0;) if (view.spans[i].from <= t) return view.spans[i];
  return null;
}

const lasting = (list, end) => list.reduce((sum, s) => sum + ((s.to ?? end) - s.from), 0);

/** What is left of a call in a few figures: shares of time by state, talk, longest unpleasant stretch. */
export function summarize(view) {
  const byState = new Map();
  let heard = 0;
  let longest = null;
  let run = null;
  for (const span of view.spans) {
    const to = span.to ?? view.t;
    if (to <= span.from || span.state === 'no_speech' || span.state === 'off') { run = null; continue; }
    byState.set(span.state, (byState.get(span.state) ?? 0) + to - span.from);
    heard += to - span.from;
    if (number(view.negative[span.state]) < 0.5) { run = null; continue; }
    run = run ? {from: run.from, to} : {from: span.from, to};
    if (!longest || run.to - run.from > longest.to - longest.from) longest = run;
  }
  const shares = [...byState].map(([state, ms]) => ({state, ms, share: heard ? ms / heard : 0}));
  shares.sort((a, b) => b.ms - a.ms || (a.state < b.state ? -1 : 1));
  return {
    duration: view.t, shares, longest,
    talk: {customer: view.totals?.customer ?? lasting(view.speech.customer, view.t),
      agent: view.totals?.agent ?? lasting(view.speech.agent, view.t)},
    overlap: lasting(view.overlaps, view.t), silence: lasting(view.silences, view.t),
    alerts: view.alerts.length, acknowledged: view.alerts.filter((a) => a.acknowledgedAt !== null).length,
    advice: view.adviceLog.length,
  };
}
