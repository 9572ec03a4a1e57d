// MONITOR: from here on the client is told every command that anybody runs.
import { MONITOR_IN_MULTI } from "../errors.ts";
import { ADMIN, type CommandRow, KEYLESS, LOADING } from "./command_row.ts";
import type { CommandContext } from "./context.ts";
import { NO_KEY } from "./row_parts.ts";

/** MONITOR */
function monitor(c: CommandContext): void {
  if (c.isInTransaction) return c.reply.error(MONITOR_IN_MULTI);
  c.services.monitor.begin(c.session, c.isText);
  c.reply.ok();
}

export const MONITOR_ROWS: readonly CommandRow[] = [
  {
    ...NO_KEY,
    kind: KEYLESS,
    flags: LOADING | ADMIN,
    group: "server",
    name: "monitor",
    arity: 1,
    since: "1.0.0",
    summary: "Show every command that the server runs, of all clients",
    run: monitor,
  },
];
