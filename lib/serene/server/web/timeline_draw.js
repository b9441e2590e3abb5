// The two charts of the timeline on uPlot: probabilities of the customer's states as stacked areas with the ribbon of
// states above, and below them who spoke when. One time axis, one window [from, to] for both.
import {clock, lookOf, seconds, stateWord} from './format.js';
import {inkOn, readColours, stack, stackOrder} from './timeline_data.js';

const gutter = 76;        // px left of both charts, for the names of lanes
const ribbonTop = 20;
const ribbonHeight = 20;
const ribbonGap = 17;    // room for the lines of alerts
const lane = {customer: 6, agent: 38, height: 24};

export class TimelineCharts {
  /** on.hover(ms or null), on.seek(ms). */
  constructor(upper, lower, on) {
    this.hosts = {upper, lower};
    this.on = on;
    this.colours = readColours();
    this.key = '';
  }

  /** Draws what holds now. options: {from, to, hidden, position}. */
  update(view, options) {
    this.view = view;
    this.options = options;
    this.order = stackOrder(view);
    const width = Math.floor(this.hosts.upper.clientWidth);
    if (width < 120) return;
    const key = `${view.states.join()} ${this.themeKey ?? 0}`;
    if (key !== this.key) this.build(width);
    this.key = key;
    if (width !== this.width) this.resize(width);
    const {data, islands} = stack(view, this.order, options.hidden, options.from, options.to);
    this.islands = islands;
    this.upper.setData(data);
    this.lower.setData([[options.from / 1000, options.to / 1000], [null, null]]);
  }

  recolour() {
    this.colours = readColours();
    this.themeKey = (this.themeKey ?? 0) + 1;
    if (this.view) this.update(this.view, this.options);
  }

  resize(width) {
    this.width = width;
    this.upper.setSize({width, height: this.upper.height});
    this.lower.setSize({width, height: this.lower.height});
  }

  destroy() {
    this.upper?.destroy();
    this.lower?.destroy();
  }

  build(width) {
    this.destroy();
    this.width = width;
    const c = this.colours;
    const font = '12px system-ui, sans-serif';
    const common = {
      width, legend: {show: false}, scales: {x: {time: false, range: () => [this.options.from / 1000, this.options.to / 1000]}},
      cursor: {y: false, points: {show: false}, drag: {x: false, y: false}, sync: {key: 'serene-call'}},
    };
    const xAxis = {stroke: c.muted, font, grid: {stroke: c.line, width: 1}, ticks: {show: false}, size: 28, gap: 6,
      space: 70, incrs: [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600],
      values: (u, splits) => splits.map((s) => clock(Math.round(s * 1000)))};
    this.upper = new uPlot({...common, height: 256, padding: [ribbonTop + ribbonHeight + ribbonGap, 14, 6, 0],
      scales: {...common.scales, y: {range: () => [0, 1]}},
      axes: [{...xAxis, show: true, size: 0, values: (u, splits) => splits.map(() => '')},
        {stroke: c.muted, font, size: gutter, gap: 8, grid: {stroke: c.line, width: 1}, ticks: {show: false},
          splits: () => [0, 0.5, 1], values: (u, splits) => splits.map((v) => `${100 * v}\u202f%`)}],
      series: [{}, ...[...this.order].reverse().map((s) => ({stroke: c.surface, width: 1.5, fill: c[`state-${s.look}`],
        points: {show: false}, spanGaps: false}))],
      hooks: {draw: [(u) => this.drawUpper(u)], setCursor: [(u) => this.hover(u)],
        ready: [(u) => this.listen(u)]},
    }, [[], ...this.order.map(() => [])], this.hosts.upper);
    this.lower = new uPlot({...common, height: 104, padding: [0, 14, 0, 0],
      scales: {...common.scales, y: {range: () => [0, 1]}},
      axes: [xAxis, {stroke: c.muted, size: gutter, grid: {show: false}, ticks: {show: false}, values: () => []}],
      series: [{}, {points: {show: false}}],
      hooks: {draw: [(u) => this.drawLower(u)], setCursor: [(u) => this.hover(u)],
        ready: [(u) => this.listen(u)]},
    }, [[], []], this.hosts.lower);
  }

  listen(u) {
    u.over.addEventListener('click', () => {
      const ms = this.timeAt(u);
      if (ms !== null) this.on.seek(ms);
    });
    u.over.addEventListener('mouseleave', () => this.on.hover(null));
  }

  timeAt(u) {
    if (u.cursor.left === null || u.cursor.left === undefined || u.cursor.left < 0) return null;
    return Math.max(0, Math.min(this.view.t, Math.round(1000 * u.posToVal(u.cursor.left, 'x'))));
  }

  hover(u) {
    if (u.cursor.event) this.on.hover(this.timeAt(u));
  }

  // Geometry in canvas pixels.
  frame(u) {
    const ratio = uPlot.pxRatio;
    const {left, top, width, height} = u.bbox;
    const x = (ms) => Math.min(left + width, Math.max(left, u.valToPos(ms / 1000, 'x', true)));
    return {ctx: u.ctx, ratio, left, top, width, height, x, right: left + width};
  }

  clipped(u, top, height, paint) {
    const {ctx, left, width} = this.frame(u);
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, width, height);
    ctx.clip();
    paint(ctx);
    ctx.restore();
  }

  inWindow({from, to}) {
    return (to ?? this.view.t) >= this.options.from && from <= this.options.to;
  }

  // How long each alert held: a line under the ribbon, critical ones above the others.
  drawAlertLines(u) {
    const f = this.frame(u);
    const {ctx, ratio} = f;
    for (const alert of this.view.alerts) {
      const span = {from: alert.raisedAt, to: alert.clearedAt};
      if (!this.inWindow(span)) continue;
      const critical = alert.severity === 'critical';
      ctx.fillStyle = this.colourOf(alert);
      bar(f, span, f.top - (critical ? 13 : 7) * ratio, 4, this.view.t, 2);
    }
  }

  colourOf(alert) {
    return this.colours[{critical: 'critical', warning: 'warning'}[alert.severity] ?? 'accent'];
  }

  drawUpper(u) {
    this.labelAreas(u);
    this.drawRibbon(u);
    this.drawAlertLines(u);
    this.drawFlags(u);
    this.drawPosition(u, true);
  }

  // The name of a state stands in its area, once per stretch of speech, where the area is highest.
  labelAreas(u) {
    const f = this.frame(u);
    const {ctx, ratio} = f;
    ctx.save();
    ctx.font = `600 ${11.5 * ratio}px system-ui, sans-serif`;
    ctx.textAlign = 'center';
    ctx.textBaseline = 'middle';
    for (const island of this.islands) {
      const xs = [f.x(island[0].t), f.x(island.at(-1).t)];
      this.order.forEach((s, k) => {
        const bottom = (p) => (k ? p.values[k - 1] : 0);
        const text = stateWord(s.name);
        const half = ctx.measureText(text).width / 2 + 5 * ratio;
        const inside = island.filter((p) => f.x(p.t) - xs[0] >= half - 2 * ratio && xs[1] - f.x(p.t) >= half - 2 * ratio);
        if (!inside.length) return;
        // A little less counts what lies off the middle, so that flat areas carry their names in one column.
        const middle = (xs[0] + xs[1]) / 2;
        const size = (p) => p.values[k] - bottom(p) - (0.08 * Math.abs(f.x(p.t) - middle)) / (xs[1] - xs[0] + 1);
        const best = inside.reduce((a, b) => (size(b) > size(a) ? b : a));
        const around = island.filter((p) => Math.abs(f.x(p.t) - f.x(best.t)) <= half);
        const low = Math.max(...around.map(bottom));
        const high = Math.min(...around.map((p) => p.values[k]));
        if ((high - low) * f.height < 17 * ratio) return;
        ctx.fillStyle = inkOn(this.colours[`state-${s.look}`]);
        ctx.fillText(text, f.x(best.t), u.valToPos((high + low) / 2, 'y', true));
      });
    }
    ctx.restore();
  }

  drawRibbon(u) {
    const f = this.frame(u);
    const {ctx, ratio} = f;
    const top = f.top - (ribbonHeight + ribbonGap) * ratio;
    const height = ribbonHeight * ratio;
    ctx.save();
    ctx.textBaseline = 'middle';
    ctx.font = `${12 * ratio}px system-ui, sans-serif`;
    ctx.fillStyle = this.colours.muted;
    ctx.textAlign = 'right';
    ctx.fillText('State', f.left - 8 * ratio, top + height / 2);
    ctx.restore();
    this.clipped(u, top, height, () => {
      for (const span of this.view.spans) if (this.inWindow(span)) this.drawSpan(f, span, top, height);
    });
  }

  drawSpan(f, span, top, height) {
    const {ctx, ratio} = f;
    const place = Math.max(0, this.view.states.indexOf(span.state));
    const look = lookOf(span.state, place);
    const colour = this.colours[`state-${look}`];
    const left = f.x(span.from);
    const width = f.x(span.to ?? this.view.t) - left - ratio;
    if (width <= 0) return;
    ctx.beginPath();
    ctx.roundRect(left, top, width, height, 4 * ratio);
    const plain = !['uncertain', 'no_speech', 'off'].includes(look);
    ctx.fillStyle = plain ? colour : this.colours.sunken;
    ctx.fill();
    if (look === 'uncertain') hatch(ctx, left, top, width, height, colour, ratio);
    const text = stateWord(span.state);
    ctx.font = `600 ${11.5 * ratio}px system-ui, sans-serif`;
    const size = ctx.measureText(text).width;
    if (size + 12 * ratio > width) return;
    if (look === 'uncertain') {
      ctx.fillStyle = this.colours.sunken;
      ctx.fillRect(left + 4 * ratio, top + 2 * ratio, size + 6 * ratio, height - 4 * ratio);
    }
    ctx.fillStyle = plain ? inkOn(colour) : this.colours.muted;
    ctx.textAlign = 'left';
    ctx.textBaseline = 'middle';
    ctx.fillText(text, left + 7 * ratio, top + height / 2 + ratio * 0.5);
  }

  drawFlags(u) {
    const f = this.frame(u);
    const {ctx, ratio} = f;
    ctx.save();
    for (const alert of this.view.alerts) {
      if (!this.inWindow({from: alert.raisedAt, to: alert.raisedAt})) continue;
      const x = f.x(alert.raisedAt);
      const colour = this.colourOf(alert);
      ctx.strokeStyle = this.colours.ink;
      ctx.lineWidth = 1.5 * ratio;
      ctx.setLineDash([3 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(x, 16 * ratio);
      ctx.lineTo(x, f.top + f.height);
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.fillStyle = colour;
      ctx.beginPath();
      ctx.roundRect(x - 9 * ratio, ratio, 18 * ratio, 16 * ratio, 4 * ratio);
      ctx.fill();
      ctx.fillStyle = inkOn(colour);
      ctx.font = `700 ${11 * ratio}px system-ui, sans-serif`;
      ctx.textAlign = 'center';
      ctx.textBaseline = 'middle';
      ctx.fillText(String(alert.id), x, 9.5 * ratio);
    }
    ctx.restore();
  }

  drawLower(u) {
    const f = this.frame(u);
    const {ctx, ratio, top} = f;
    const c = this.colours;
    ctx.save();
    ctx.font = `${12 * ratio}px system-ui, sans-serif`;
    ctx.textBaseline = 'middle';
    for (const [leg, word] of [['customer', 'Customer'], ['agent', 'Agent']]) {
      const y = top + lane[leg] * ratio;
      ctx.fillStyle = c.muted;
      ctx.textAlign = 'right';
      ctx.fillText(word, f.left - 8 * ratio, y + (lane.height * ratio) / 2);
      ctx.fillStyle = c.sunken;
      ctx.fillRect(f.left, y, f.width, lane.height * ratio);
      ctx.fillStyle = c[`lane-${leg}`];
      for (const s of this.view.speech[leg]) if (this.inWindow(s)) bar(f, s, y, lane.height, this.view.t, 4);
    }
    for (const s of this.view.overlaps) {
      if (!this.inWindow(s)) continue;
      const left = f.x(s.from);
      hatch(ctx, left, top + lane.customer * ratio, Math.max(2 * ratio, f.x(s.to ?? this.view.t) - left),
        (lane.agent - lane.customer + lane.height) * ratio, c['lane-overlap'], ratio, true);
    }
    for (const s of this.view.silences) if (this.inWindow(s)) this.drawSilence(f, s);
    ctx.restore();
    this.drawPosition(u, false);
  }

  drawSilence(f, span) {
    const {ctx, ratio, top} = f;
    const y = top + ((lane.customer + lane.agent + lane.height) / 2) * ratio;
    const [a, b] = [f.x(span.from), f.x(span.to ?? this.view.t)];
    ctx.save();
    ctx.strokeStyle = this.colours.muted;
    ctx.lineWidth = 1.5 * ratio;
    ctx.beginPath();
    for (const x of [a + ratio, b - ratio]) {
      ctx.moveTo(x, y - 5 * ratio);
      ctx.lineTo(x, y + 5 * ratio);
    }
    ctx.moveTo(a, y);
    ctx.lineTo(b, y);
    ctx.stroke();
    const text = `Silence ${seconds((span.to ?? this.view.t) - span.from)}`;
    ctx.textAlign = 'center';
    ctx.font = `${11 * ratio}px system-ui, sans-serif`;
    ctx.fillStyle = this.colours.muted;
    if (ctx.measureText(text).width < b - a - 6 * ratio) ctx.fillText(text, (a + b) / 2, y + 14 * ratio);
    ctx.restore();
  }

  // Where sound plays or someone looks; and the end of what is known.
  drawPosition(u, handle) {
    const f = this.frame(u);
    const {ctx, ratio} = f;
    const {position, to} = this.options;
    const line = (ms, width, colour) => {
      ctx.strokeStyle = colour;
      ctx.lineWidth = width * ratio;
      ctx.beginPath();
      ctx.moveTo(f.x(ms), f.top);
      ctx.lineTo(f.x(ms), f.top + f.height);
      ctx.stroke();
    };
    ctx.save();
    if (!this.view.ended && this.view.t < to) line(this.view.t, 1, this.colours.muted);
    if (position !== null && this.inWindow({from: position, to: position})) {
      line(position, 2, this.colours.ink);
      if (handle) {
        ctx.fillStyle = this.colours.ink;
        ctx.beginPath();
        ctx.arc(f.x(position), f.top, 4.5 * ratio, 0, 7);
        ctx.fill();
      }
    }
    ctx.restore();
  }
}

function bar(f, span, y, height, end, radius) {
  const {ctx, ratio} = f;
  const left = f.x(span.from);
  ctx.beginPath();
  ctx.roundRect(left, y, Math.max(2 * ratio, f.x(span.to ?? end) - left), height * ratio, radius * ratio);
  ctx.fill();
}

// Slanted lines, so that the meaning does not hang on the colour.
function hatch(ctx, left, top, width, height, colour, ratio, framed = false) {
  ctx.save();
  ctx.beginPath();
  ctx.roundRect(left, top, width, height, 3 * ratio);
  ctx.clip();
  ctx.strokeStyle = colour;
  ctx.lineWidth = 2 * ratio;
  ctx.beginPath();
  for (let x = left - height; x < left + width; x += 7 * ratio) {
    ctx.moveTo(x, top + height);
    ctx.lineTo(x + height, top);
  }
  if (framed) ctx.rect(left, top, width, height);
  ctx.stroke();
  ctx.restore();
}
