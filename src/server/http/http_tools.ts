// What all routes of one worker share; it holds no behaviour.
import type { Services } from "../../commands/services.ts";
import type { MetricsFormat } from "../../metrics_text.ts";
import type { CommandRunner } from "./command_runner.ts";
import type { Downloads } from "./downloads.ts";
import type { ReplyWriters } from "./reply_writers.ts";
import type { HttpSession } from "./http_session.ts";
import type { Uploads } from "./uploads.ts";

export interface HttpTools {
  readonly services: Services;
  readonly runner: CommandRunner;
  readonly writers: ReplyWriters;
  readonly uploads: Uploads;
  readonly downloads: Downloads;
  /** The worker's, where bytes of bodies and messages are counted; the runtime tells nobody what their heads take. */
  readonly counters: Float64Array;
  /** The session of requests whose commands cannot change what it remembers, nor reply enough to have it killed. */
  readonly session: HttpSession;
  /** The same for requests that mean the database with that number. */
  sessionOf(database: number): HttpSession;
  /** A session for a request that may. */
  createSession(): HttpSession;
  /** The server's numbers as text for Prometheus. */
  metricsText(format: MetricsFormat): string;
  /** Why the server should get no requests now, null if it may. */
  notReadyReason(): string | null;
}
