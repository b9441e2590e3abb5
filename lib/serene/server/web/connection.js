// The live stream: a WebSocket that never loses its place.
//
// Every entry of the server's log has a number n. The largest n seen is the cursor; after a break the next socket asks
// for what follows it, so that nothing comes twice and nothing is missing. Waits between tries double from half a second
// to eight; the browser's "online" cuts the wait short.

const firstWait = 500;
const longestWait = 8000;
const silenceLimit = 35000;  // the server pings every 30 s at the latest and tells its status far more often

export class Connection {
  /**
   * call: one call's id, or null for all. after: the cursor to begin with. boot: the name of the server's log, by which
   * a restarted server knows that the cursor is not one of its own.
   * on.entries(list), on.restart() when it was another server's cursor: nothing follows, whoever owns the connection
   * begins anew; on.state("connecting" | "open" | "lost", seconds until the next try).
   */
  constructor({call = null, after = 0, boot = '', on}) {
    this.call = call;
    this.cursor = after;
    this.boot = boot;
    this.on = on;
    this.wait = firstWait;
    this.stopped = false;
    this.heard = 0;
    globalThis.addEventListener?.('online', () => this.retryNow());
    globalThis.addEventListener?.('offline', () => this.socket?.close());
    this.watch = setInterval(() => {
      if (this.open && Date.now() - this.heard > silenceLimit) this.socket.close();
    }, 5000);
    this.connect();
  }

  get open() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  connect() {
    if (this.stopped) return;
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const call = this.call === null ? '' : `&call=${encodeURIComponent(this.call)}`;
    const boot = this.boot && `&boot=${encodeURIComponent(this.boot)}`;
    const socket = new WebSocket(`${scheme}://${location.host}/live?after=${this.cursor}${call}${boot}`);
    this.socket = socket;
    socket.onopen = () => {
      this.wait = firstWait;
      this.heard = Date.now();
      this.on.state('open', 0);
    };
    socket.onmessage = (message) => this.receive(message.data);
    socket.onclose = () => this.lost(socket);
  }

  receive(data) {
    this.heard = Date.now();
    let entries;
    try {
      entries = JSON.parse(data);
    } catch {
      return;
    }
    if (!Array.isArray(entries)) return;
    const fresh = [];
    for (const entry of entries) {
      if (!entry || typeof entry !== 'object') continue;
      if (entry.restart) {
        this.stop();
        this.on.restart();
        return;
      }
      if (typeof entry.n === 'number') {
        if (entry.n <= this.cursor) continue;
        this.cursor = entry.n;
      }
      fresh.push(entry);
    }
    if (fresh.length) this.on.entries(fresh);
  }

  lost(socket) {
    if (this.stopped || socket !== this.socket) return;
    const wait = this.wait * (0.8 + 0.4 * Math.random());
    this.wait = Math.min(longestWait, 2 * this.wait);
    this.on.state('lost', wait / 1000);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), wait);
  }

  retryNow() {
    if (this.stopped || this.open || this.socket?.readyState === WebSocket.CONNECTING) return;
    clearTimeout(this.timer);
    this.wait = firstWait;
    this.connect();
  }

  /** Returns false when nobody is there to hear it. */
  send(message) {
    if (!this.open) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    clearInterval(this.watch);
    this.socket?.close();
  }
}
