// The sound of a call on demand: pieces of WAV from the server, laid end to end on the clock of Web Audio.
//
// Left is the customer, right the agent, as the server sends them. Beyond the live end the server answers 416: then the
// sound waits and goes on as soon as there is more.

const pieceMs = 1000;
const aheadS = 1.5;   // how much is scheduled before the playhead
const waitMs = 300;

export class CallSound {
  /** call: its id. ended(): whether the call is over. on: {position(ms), state({playing, problem})}. */
  constructor(call, ended) {
    this.call = call;
    this.ended = ended;
    this.on = {position: () => {}, state: () => {}};
    this.playing = false;
    this.run = 0;
  }

  async play(fromMs) {
    this.silence();
    const run = ++this.run;
    this.context ??= new AudioContext();
    this.playing = true;
    this.anchors = [];  // {at: seconds of the audio clock, ms: of the call}
    this.sources = [];
    this.on.state({playing: true, problem: ''});
    this.on.position(fromMs);
    this.ticker = setInterval(() => this.tick(), 100);
    try {
      await this.context.resume();
      await this.feed(run, fromMs);
    } catch (error) {
      if (run === this.run) this.stop(`The sound cannot be played: ${error.message}.`);
    }
  }

  async feed(run, fromMs) {
    let ms = fromMs;
    let at = this.context.currentTime + 0.05;
    while (run === this.run) {
      if (at - this.context.currentTime > aheadS) {
        await pause(100);
        continue;
      }
      const answer = await fetch(`/api/calls/${encodeURIComponent(this.call)}/audio?from_ms=${Math.round(ms)}&ms=${pieceMs}`);
      if (run !== this.run) return;
      if (answer.status === 416) {
        if (this.ended()) return this.finishAt(run, at);
        await pause(waitMs);
        continue;
      }
      if (!answer.ok) throw new Error(answer.status === 404 ? 'the sound of this call is not kept' : `the server answered ${answer.status}`);
      const buffer = await this.context.decodeAudioData(await answer.arrayBuffer());
      if (run !== this.run) return;
      if (buffer.duration < 0.005) {
        await pause(waitMs);
        continue;
      }
      at = this.lay(buffer, Math.max(at, this.context.currentTime + 0.02), ms);
      ms += 1000 * buffer.duration;
    }
    return undefined;
  }

  /** Puts one piece on the clock; returns where the next one begins. */
  lay(buffer, at, ms) {
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.context.destination);
    source.start(at);
    this.sources = this.sources.filter((s) => s.until > this.context.currentTime);
    this.sources.push({source, until: at + buffer.duration});
    this.anchors.push({at, ms, end: ms + 1000 * buffer.duration});
    if (this.anchors.length > 8) this.anchors.shift();
    return at + buffer.duration;
  }

  async finishAt(run, at) {
    await pause(Math.max(0, 1000 * (at - this.context.currentTime)));
    if (run === this.run) this.stop();
  }

  tick() {
    const now = this.context.currentTime;
    const anchor = this.anchors.findLast((a) => a.at <= now);
    if (anchor) this.on.position(Math.min(anchor.end, anchor.ms + 1000 * (now - anchor.at)));
  }

  silence() {
    clearInterval(this.ticker);
    for (const {source} of this.sources ?? []) source.stop();
    this.sources = [];
  }

  stop(problem = '') {
    ++this.run;
    this.silence();
    this.playing = false;
    this.on.state({playing: false, problem});
  }
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
