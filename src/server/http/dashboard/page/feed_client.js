// The page's line to the server: asks for the numbers, gives the password, and comes back by itself after a break.

const RETRY_MS_FIRST = 500;
const RETRY_MS_MAX = 5000;
/** A message comes each second: after so long without one the line is dead, whatever the browser thinks. */
const SILENCE_MS_MAX = 8000;

export class FeedClient {
  #url;
  #listener;
  #socket = null;
  #password = null;
  #retryMs = RETRY_MS_FIRST;
  #retryTimer = 0;
  #heardAtMs = 0;
  /** For the password: nothing comes before it. */
  #isWaiting = false;

  /**
   * The listener: `onMessage(message)`; `onState(state)`, one of "connecting", "live", "lost", "password" and
   * "wrong-password"; `lastAtMs()`, the last sample that is known.
   */
  constructor(url, listener) {
    this.#url = url;
    this.#listener = listener;
    setInterval(() => this.#watch(), 1000);
  }

  /** For requests of HTTP: null where none was asked for. */
  get password() {
    return this.#password;
  }

  connect() {
    clearTimeout(this.#retryTimer);
    this.#socket?.close();
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#heardAtMs = Date.now();
    const isMine = () => this.#socket === socket;
    socket.onopen = () => isMine() && this.#greet();
    socket.onmessage = ({ data }) => isMine() && this.#received(JSON.parse(data));
    socket.onclose = () => isMine() && this.#lost();
  }

  /** Tries again with a password. */
  givePassword(password) {
    this.#password = password;
    this.#isWaiting = false;
    this.#heardAtMs = Date.now();
    if (this.#socket?.readyState === WebSocket.OPEN) this.#greet();
    else this.connect();
  }

  #greet() {
    if (this.#password !== null) this.#send({ id: "auth", command: ["AUTH", this.#password] });
    this.#send({ id: "name", command: ["CLIENT", "SETNAME", "dashboard"] });
    this.#send({ subscribe: "dashboard", after: this.#listener.lastAtMs() });
  }

  #send(message) {
    this.#socket.send(JSON.stringify(message));
  }

  #received(message) {
    this.#heardAtMs = Date.now();
    if (message.subscribed === "dashboard") {
      this.#retryMs = RETRY_MS_FIRST;
      this.#listener.onState("live");
    } else if (message.dashboard !== undefined) this.#listener.onMessage(message.dashboard);
    else if (message.id === "auth" && /^WRONGPASS/.test(message.error ?? "")) {
      this.#password = null;
      this.#isWaiting = true;
      this.#listener.onState("wrong-password");
    } else if (message.id === undefined && /^NOAUTH/.test(message.error ?? "")) {
      // After a wrong one it has been said already.
      if (!this.#isWaiting) this.#listener.onState("password");
      this.#isWaiting = true;
    }
  }

  #watch() {
    if (this.#isWaiting || this.#socket?.readyState !== WebSocket.OPEN) return;
    if (Date.now() - this.#heardAtMs < SILENCE_MS_MAX) return;
    const socket = this.#socket;
    this.#socket = null;
    socket.close();
    this.#lost();
  }

  #lost() {
    this.#listener.onState("lost");
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.connect(), this.#retryMs);
    this.#retryMs = Math.min(RETRY_MS_MAX, this.#retryMs * 2);
  }
}
