// Subcommands of CLIENT that change how a client is served: paused, silent, without a trace.
import {
  CACHING_WITHOUT_TRACKING,
  SYNTAX,
  TRACKING_UNSUPPORTED,
  wrongSubcommand,
} from "../errors.ts";
import { REPLY_OFF, REPLY_ON, REPLY_SKIP } from "../session.ts";
import { NOT_NOTED } from "../store/store.ts";
import { ADMIN, type CommandRow, KEYLESS, LOADING, NO_MULTI } from "./command_row.ts";
import type { CommandContext } from "./context.ts";
import { NO_KEY } from "./row_parts.ts";

/** CLIENT REPLY ON | OFF | SKIP; only ON is answered. */
function reply(c: CommandContext): void {
  if (c.argIs(2, "ON")) {
    c.session.replyMode = REPLY_ON;
    c.loudReply.ok();
  } else if (c.argIs(2, "OFF")) c.session.replyMode = REPLY_OFF;
  // A client that is silent anyway stays so.
  else if (!c.argIs(2, "SKIP")) c.reply.error(SYNTAX);
  else if (c.session.replyMode === REPLY_ON) c.session.replyMode = REPLY_SKIP;
}

/** CLIENT PAUSE timeout [WRITE | ALL] */
function pause(c: CommandContext): void {
  const onlyWrites = c.argCount === 4 && c.argIs(3, "WRITE");
  if (c.argCount > 4 || (c.argCount === 4 && !onlyWrites && !c.argIs(3, "ALL"))) {
    return c.reply.error(
      c.argCount > 4 ? SYNTAX : "ERR CLIENT PAUSE mode must be WRITE or ALL",
    );
  }
  const timeoutMs = c.argInteger(2);
  if (timeoutMs !== timeoutMs) {
    return c.reply.error("ERR timeout is not an integer or out of range");
  }
  if (timeoutMs < 0) return c.reply.error("ERR timeout is negative");
  c.services.settings.pause(c.nowMs + timeoutMs, onlyWrites);
  c.reply.ok();
}

/** CLIENT UNPAUSE */
function unpause(c: CommandContext): void {
  c.services.settings.pause(0, false);
  c.reply.ok();
}

/** CLIENT NO-EVICT ON | OFF, CLIENT NO-TOUCH ON | OFF */
function toggle(set: (c: CommandContext, isOn: boolean) => void): (c: CommandContext) => void {
  return (c) => {
    const isOn = c.argIs(2, "ON");
    if (!isOn && !c.argIs(2, "OFF")) return c.reply.error(SYNTAX);
    set(c, isOn);
    c.reply.ok();
  };
}

/** CLIENT UNBLOCK client-id [TIMEOUT | ERROR]; no command blocks its client here. */
function unblock(c: CommandContext): void {
  if (c.argCount > 4) return c.reply.error(wrongSubcommand("CLIENT", c.argText(1)));
  if (c.argCount === 4 && !c.argIs(3, "TIMEOUT") && !c.argIs(3, "ERROR")) {
    return c.reply.error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
  }
  const id = c.argInteger(2);
  if (id !== id) c.failNotInteger();
  else c.reply.integer(0);
}

/** CLIENT TRACKING ON | OFF ...: off is what it always is. */
function tracking(c: CommandContext): void {
  if (c.argIs(2, "OFF") && c.argCount === 3) c.reply.ok();
  else c.reply.error(c.argIs(2, "ON") ? TRACKING_UNSUPPORTED : SYNTAX);
}

/** CLIENT TRACKINGINFO */
function trackingInfo(c: CommandContext): void {
  c.reply.map(3);
  c.reply.bulkText("flags");
  c.reply.set(1);
  c.reply.bulkText("off");
  c.reply.bulkText("redirect");
  c.reply.integer(-1);
  c.reply.bulkText("prefixes");
  c.reply.array(0);
}

const ROW = { kind: KEYLESS, flags: LOADING, group: "connection", ...NO_KEY } as const;

export const CLIENT_MODE_ROWS: readonly CommandRow[] = [
  {
    ...ROW,
    flags: LOADING | NO_MULTI,
    name: "client|reply",
    arity: 3,
    since: "3.2.0",
    summary: "Tell whether the server replies: ON, OFF, or SKIP the next reply",
    run: reply,
  },
  {
    ...ROW,
    flags: LOADING | ADMIN,
    name: "client|pause",
    arity: -3,
    since: "3.0.0",
    summary: "Hold all clients' commands for a time in milliseconds, or only WRITE commands",
    run: pause,
  },
  {
    ...ROW,
    flags: LOADING | ADMIN,
    name: "client|unpause",
    arity: 2,
    since: "6.2.0",
    summary: "End what CLIENT PAUSE began",
    run: unpause,
  },
  {
    ...ROW,
    flags: LOADING | ADMIN,
    name: "client|no-evict",
    arity: 3,
    since: "7.0.0",
    summary: "Ask that the connection is not closed to save memory: ON or OFF",
    run: toggle((c, isOn) => c.session.isNoEvict = isOn),
  },
  {
    ...ROW,
    name: "client|no-touch",
    arity: 3,
    since: "7.2.0",
    summary: "Tell whether reads leave no trace in the entries' access times: ON or OFF",
    run: toggle((c, isOn) => {
      c.session.isNoTouch = isOn;
      c.readClock = isOn ? NOT_NOTED : c.accessClock; // for the rest of the batch
    }),
  },
  {
    ...ROW,
    flags: LOADING | ADMIN,
    name: "client|unblock",
    arity: -3,
    since: "5.0.0",
    summary: "Wake a client that a blocking command holds; there are none",
    run: unblock,
  },
  {
    ...ROW,
    name: "client|tracking",
    arity: -3,
    since: "6.0.0",
    summary: "Tell whether the server invalidates what the client caches: only OFF",
    run: tracking,
  },
  {
    ...ROW,
    name: "client|caching",
    arity: 3,
    since: "6.0.0",
    summary: "Tell whether the next keys are tracked; only with tracking",
    run: (c) => c.reply.error(CACHING_WITHOUT_TRACKING),
  },
  {
    ...ROW,
    name: "client|trackinginfo",
    arity: 2,
    since: "6.2.0",
    summary: "Return how the connection's keys are tracked",
    run: trackingInfo,
  },
  {
    ...ROW,
    name: "client|getredir",
    arity: 2,
    since: "6.0.0",
    summary: "Return which client the invalidations go to",
    run: (c) => c.reply.integer(-1),
  },
];
