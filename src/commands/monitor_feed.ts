// Tells the clients in MONITOR mode, of all workers, what the clients of this worker run; bounded: what does not fit
// is left out and counted, and a client that does not read is dropped.
import type { Bus } from "../bus.ts";
import {
  MONITOR_ARGUMENT_BYTES_MAX,
  MONITOR_CHARACTERS_MAX,
  MONITOR_MESSAGE_CHARACTERS_MAX,
  MONITOR_OUTPUT_BYTES_MAX,
} from "../limits.ts";
import { COUNTER, type Metrics, type WorkerMetrics } from "../metrics.ts";
import type { RequestBatch } from "../protocol/request_batch.ts";
import type { Session, Sessions } from "../session.ts";
import { redactedArguments } from "./redaction.ts";

/** The bus's payload of `monitor-lines`. */
interface MonitorLines {
  /** Who sends it: its own monitors have the lines already. */
  readonly workerIndex: number;
  readonly lines: readonly string[];
}

const encoder = new TextEncoder();

export class MonitorFeed {
  readonly #waiting: string[] = [];
  #waitingCharacters = 0;
  /** Lines for other workers; one message is under way at a time. */
  #outgoing: string[] = [];
  #outgoingCharacters = 0;
  #isSending = false;
  readonly #isText = new Map<number, boolean>();

  constructor(
    readonly sessions: Sessions,
    readonly metrics: Metrics,
    readonly own: WorkerMetrics,
    readonly bus: Bus,
  ) {
    bus.answer("monitor-lines", (payload) => {
      const { workerIndex, lines } = payload as MonitorLines;
      if (workerIndex !== own.workerIndex) this.#deliver(lines);
    });
  }

  /** From here on the client is told all commands; `isText` if it speaks text and not RESP. */
  begin(session: Session, isText: boolean): void {
    if (session.isMonitor) return;
    session.isMonitor = true;
    this.#isText.set(session.id, isText);
    this.own.addMonitor(1);
  }

  /** For RESET, and for a client that went away. */
  end(session: Session): void {
    if (!session.isMonitor) return;
    session.isMonitor = false;
    this.#isText.delete(session.id);
    this.own.addMonitor(-1);
  }

  /** Tells that a command of the batch ran, in the client's database; told once the batch is done. */
  note(
    batch: RequestBatch,
    command: number,
    name: string,
    session: Session,
    nowMs: number,
  ): void {
    if (this.#waitingCharacters > MONITOR_CHARACTERS_MAX) {
      this.own.counters[COUNTER.monitorLinesLeftOut]++;
      return;
    }
    const { address, databaseNumber } = session;
    const line = monitorLine(batch, command, name, address, databaseNumber, nowMs);
    if (this.#waiting.length === 0) queueMicrotask(() => this.#flush());
    this.#waiting.push(line);
    this.#waitingCharacters += line.length;
  }

  #flush(): void {
    const lines = this.#waiting.splice(0);
    this.#waitingCharacters = 0;
    this.#deliver(lines);
    let others = 0;
    for (let i = 0; i < this.metrics.workerCount; i++) {
      if (i !== this.own.workerIndex) others += this.metrics.monitorsOf(i);
    }
    if (others === 0) return;
    for (const line of lines) {
      if (this.#outgoingCharacters > MONITOR_CHARACTERS_MAX) {
        this.own.counters[COUNTER.monitorLinesLeftOut]++;
        continue;
      }
      this.#outgoing.push(line);
      this.#outgoingCharacters += line.length;
    }
    if (!this.#isSending) void this.#send();
  }

  /** Messages one after the other, so that what is under way is bounded too. */
  async #send(): Promise<void> {
    this.#isSending = true;
    while (this.#outgoing.length > 0) {
      let count = 0, characters = 0;
      while (count < this.#outgoing.length && characters < MONITOR_MESSAGE_CHARACTERS_MAX) {
        characters += this.#outgoing[count++].length;
      }
      const lines = this.#outgoing.splice(0, count);
      this.#outgoingCharacters -= characters;
      try {
        const payload: MonitorLines = { workerIndex: this.own.workerIndex, lines };
        await this.bus.ask("monitor-lines", payload);
      } catch {
        this.own.counters[COUNTER.monitorLinesLeftOut] += lines.length;
      }
    }
    this.#isSending = false;
  }

  #deliver(lines: readonly string[]): void {
    if (this.#isText.size === 0) return;
    let resp: Uint8Array | null = null, text: Uint8Array | null = null;
    for (const [id, isText] of [...this.#isText]) {
      const session = this.sessions.get(id);
      if (session === undefined) {
        // Ended by whoever does not tell us: or all commands would be told to nobody for ever.
        this.#isText.delete(id);
        this.own.addMonitor(-1);
        continue;
      }
      const bytes = isText
        ? text ??= encoder.encode(lines.map((line) => `${line}\n`).join(""))
        : resp ??= encoder.encode(lines.map((line) => `+${line}\r\n`).join(""));
      session.push(bytes, MONITOR_OUTPUT_BYTES_MAX);
    }
  }
}

/** `1700000000.123000 [0 127.0.0.1:50000] "set" "key" "value"`, as Redis writes it. */
export function monitorLine(
  batch: RequestBatch,
  command: number,
  name: string,
  address: string,
  databaseNumber: number,
  nowMs: number,
): string {
  const first = batch.commandArg[command], count = batch.commandArg[command + 1] - first;
  const hidden = redactedArguments(batch, command, name);
  const seconds = Math.floor(nowMs / 1000);
  const micros = String(Math.floor((nowMs % 1000) * 1000)).padStart(6, "0");
  let line = `${seconds}.${micros} [${databaseNumber} ${address}]`;
  for (let i = 0; i < count && line.length < MONITOR_MESSAGE_CHARACTERS_MAX; i++) {
    const at = first + i;
    if (hidden?.has(i)) line += ' "(redacted)"';
    else if (batch.stagedArg === at) {
      line += ` "... (${batch.stagedValue!.lengthBytes} more bytes)"`;
    } else line += ` ${quoted(batch.bytes, batch.argStart[at], batch.argEnd[at])}`;
  }
  return line;
}

const ESCAPES: Readonly<Record<number, string>> = {
  7: "\\a",
  8: "\\b",
  9: "\\t",
  10: "\\n",
  13: "\\r",
  34: '\\"',
  92: "\\\\",
};

/** As Redis's sdscatrepr: printable ASCII as it is, the rest escaped. */
function quoted(bytes: Uint8Array, start: number, end: number): string {
  const stop = Math.min(end, start + MONITOR_ARGUMENT_BYTES_MAX);
  let text = "";
  for (let at = start; at < stop; at++) {
    const byte = bytes[at];
    if (ESCAPES[byte] !== undefined) text += ESCAPES[byte];
    else if (byte >= 32 && byte < 127) text += String.fromCharCode(byte);
    else text += `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return stop < end ? `"${text}... (${end - stop} more bytes)"` : `"${text}"`;
}
