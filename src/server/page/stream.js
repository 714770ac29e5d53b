// The server's events, and a watchdog: a connection that is open and silent looks well to the browser, so the server
// ticks every second and the numbers go grey when the ticks stop.

/** No event for so long means that contact is lost. Ticks come every second, and the screen has 5 s to turn grey. */
const SILENCE_MS = 4000;
const LOOK_EVERY_MS = 250;
/** Between two attempts to connect: soon where the last one has failed, and later where an answer may be on its way. */
const RETRY_FAILED_MS = 2000;
const RETRY_OPEN_MS = 10000;

export class Stream {
  /**
   * `on` has a function for each of `ward`, `beds`, `gone`, `state` and `tick`; `lost` and `found` for the contact
   * itself; and `failed` for each time that the server ends the stream, or gives none.
   */
  constructor(url, on) {
    this.url = url;
    this.on = on;
    this.isLost = false;
    this.isSkipping = false;
    this.heard = performance.now();
    this.connect();
    setInterval(() => this.look(), LOOK_EVERY_MS);
    // Timers of a hidden page are slowed down: look at once when it is seen again.
    document.addEventListener("visibilitychange", () => this.look());
  }

  connect() {
    this.source?.close();
    this.tried = performance.now();
    this.source = new EventSource(this.url);
    // Why is not told to a page.
    this.source.addEventListener("error", () => this.on.failed());
    for (const name of ["ward", "beds", "gone", "state", "tick", "skipped"]) {
      this.source.addEventListener(name, (event) => this.take(name, event.data));
    }
  }

  take(name, data) {
    this.heard = performance.now();
    if (name === "skipped") {
      this.isSkipping = true;
      return;
    }
    if (name === "ward") this.isSkipping = false;
    // After a gap single beds would mix with old ones: the whole ward follows.
    const isPart = name === "beds" || name === "gone";
    if (!(this.isSkipping && isPart)) this.on[name](JSON.parse(data));
    // Only the whole ward ends a loss: what changed meanwhile is not known before.
    if (this.isLost && name === "ward") {
      this.isLost = false;
      this.on.found();
    }
  }

  look() {
    const now = performance.now();
    const isSilent = now - this.heard >= SILENCE_MS;
    // After a loss the whole ward is needed, which an old stream that goes on does not send again.
    if (!isSilent && !this.isLost) return;
    if (!this.isLost) {
      this.isLost = true;
      this.on.lost();
    }
    const wait = this.source.readyState === EventSource.CLOSED ? RETRY_FAILED_MS : RETRY_OPEN_MS;
    if (now - this.tried >= wait) this.connect();
  }
}
