// What commands about the server itself may ask for: facts, settings, counters, other workers, other clients.
import type { Bus } from "../bus.ts";
import type { Config } from "../config.ts";
import type { Ring } from "../log/ring.ts";
import type { Parameter } from "../config_parameters.ts";
import type { Metrics } from "../metrics.ts";
import type { Sessions } from "../session.ts";
import type { Settings } from "../settings.ts";
import type { LatencyEvents } from "./latency_events.ts";
import type { MonitorFeed } from "./monitor_feed.ts";
import type { SlowLog } from "./slow_log.ts";

export interface Services {
  readonly config: Config;
  readonly settings: Settings;
  /** The log's numbers and state; null without persistence. */
  readonly ring: Ring | null;
  readonly parameters: readonly Parameter[];
  readonly metrics: Metrics;
  /** `get`, `config|get`, by the number that each is counted by. */
  readonly commandNames: readonly string[];
  /** What this worker keeps of slow commands, of slow events, and tells those who watch. */
  readonly slowLog: SlowLog;
  readonly latencyEvents: LatencyEvents;
  readonly monitor: MonitorFeed;
  readonly bus: Bus;
  readonly sessions: Sessions;
  readonly workerIndex: number;
  readonly startedAtMs: number;
  readonly runId: string;
  readonly processId: number;
  /** Operating system and architecture. */
  readonly systemName: string;
  /** Tells main that this worker is alive, from within what keeps it from its event loop for long. */
  signOfLife(): void;
  /** Resolves once what this worker's sockets had waiting was served. */
  othersTurn(): Promise<void>;
  /** Resident memory of the process, in bytes. */
  residentBytes(): number;
  /** Time that the process has had on processors so far. */
  cpuSeconds(): { readonly user: number; readonly system: number };
  /** Whether a client's address is one of this machine. */
  isLocal(address: string): boolean;
  /** Whether this is the password, in a time that does not tell how much of it is right. */
  isPassword(user: string, password: Uint8Array): boolean;
  /** Counts a wrong password; resolves when it may be answered. */
  wrongPassword(): Promise<void>;
  /** Whether a password is demanded at all. */
  readonly hasPassword: boolean;
}
