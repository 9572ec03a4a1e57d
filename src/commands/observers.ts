// What a worker keeps and tells of the commands it runs, made once at its start: slow log, slow moments, monitors.
import type { Bus } from "../bus.ts";
import type { Metrics, WorkerMetrics } from "../metrics.ts";
import type { Sessions } from "../session.ts";
import type { Settings } from "../settings.ts";
import { COMMAND_NAMES } from "./command_numbers.ts";
import { LatencyEvents, registerLatencyAnswers } from "./latency_events.ts";
import { MonitorFeed } from "./monitor_feed.ts";
import type { Services } from "./services.ts";
import { registerSlowLogAnswers, SlowLog } from "./slow_log.ts";

/** Has the worker answer for them on the bus too. */
export function createObservers(
  settings: Settings,
  sessions: Sessions,
  metrics: Metrics,
  own: WorkerMetrics,
  bus: Bus,
): Pick<Services, "slowLog" | "latencyEvents" | "monitor" | "commandNames"> {
  const slowLog = new SlowLog(() => settings.slowLogEntriesMax);
  const latencyEvents = new LatencyEvents(() => settings.latencyThresholdMs);
  registerSlowLogAnswers(bus, slowLog);
  registerLatencyAnswers(bus, latencyEvents);
  bus.answer("reset-statistics", () => own.reset());
  const monitor = new MonitorFeed(sessions, metrics, own, bus);
  return { slowLog, latencyEvents, monitor, commandNames: COMMAND_NAMES };
}
