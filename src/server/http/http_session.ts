// Who a request of HTTP or a client of WebSocket is to the engine; knows no route and no syntax.
import { selectDatabase } from "../../commands/databases.ts";
import type { Settings } from "../../settings.ts";
import { ClientSession } from "../client_session.ts";

export class HttpSession extends ClientSession {
  /** Takes what is sent unasked: lines of MONITOR, as RESP has them. Null for a request, which has its one answer. */
  onPush: ((bytes: Uint8Array, waitingBytesMax: number) => void) | null = null;
  /** What CLIENT KILL, and a reply that is too large, do besides. */
  onKill: (() => void) | null = null;
  /** What the client has not taken yet. */
  unreadBytes: () => number = () => 0;
  /** Whether `kill()` was called: for one request, because its replies would take too much. */
  isKilled = false;
  #id = 0;

  constructor(
    readonly settings: Settings,
    isAuthenticated: boolean,
    address: string,
    localAddress: string,
    nowMs: number,
  ) {
    super(isAuthenticated, address, localAddress, nowMs);
  }

  /** Drawn when it is first asked for: most requests never are. */
  get id(): number {
    return this.#id ||= this.settings.nextClientId();
  }

  kill(): void {
    this.isKilled = true;
    this.isClosing = true;
    this.onKill?.();
  }

  push(bytes: Uint8Array, waitingBytesMax: number): void {
    this.onPush?.(bytes, waitingBytesMax);
  }

  /** Means the database with that number, whatever it is swapped with meanwhile. */
  select(number: number): this {
    selectDatabase(this, this.settings, number);
    return this;
  }

  bufferedBytes(): { input: number; output: number } {
    return { input: 0, output: this.unreadBytes() };
  }
}
