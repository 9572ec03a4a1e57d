// Commands about the connection itself: who it is, which database it uses, whether it lives.
import * as errors from "../errors.ts";
import { parseBigInteger } from "../number_format.ts";
import { REPLY_ON } from "../session.ts";
import { REDIS_VERSION } from "../version.ts";
import { KEYLESS, LOADING, NO_AUTH } from "./command_row.ts";
import type { CommandRow } from "./command_row.ts";
import { isClientName } from "./client_line.ts";
import type { CommandContext } from "./context.ts";
import { readDatabase, selectDatabase } from "./databases.ts";
import { NO_KEY } from "./row_parts.ts";

const DEFAULT_USER = "default";

/** PING [message] */
function ping(c: CommandContext): void {
  if (c.argCount > 2) c.reply.error(errors.wrongArity("ping"));
  else if (c.argCount === 1) c.reply.status("PONG");
  else c.reply.bulk(c.bytes, c.argStart(1), c.argEnd(1));
}

/** ECHO message */
function echo(c: CommandContext): void {
  c.reply.bulk(c.bytes, c.argStart(1), c.argEnd(1));
}

/** QUIT */
function quit(c: CommandContext): void {
  c.reply.ok();
  c.session.isClosing = true;
}

/** SELECT index */
function select(c: CommandContext): void {
  const number = readDatabase(c, 1);
  if (number < 0) return;
  selectDatabase(c.session, c.services.settings, number);
  c.reply.ok();
}

/** AUTH [username] password */
function auth(c: CommandContext): void {
  if (c.argCount > 3) c.reply.error(errors.SYNTAX);
  else if (c.argCount === 2 && !c.services.hasPassword) c.reply.error(errors.NO_PASSWORD_SET);
  else if (authenticate(c, c.argCount === 3 ? 1 : 0, c.argCount - 1)) c.reply.ok();
  else refusePassword(c);
}

/** The answer to a wrong password comes late, and the client's next command after it. */
function refusePassword(c: CommandContext): void {
  const waiting = c.services.wrongPassword();
  // Who may queue commands has given the right one before.
  if (c.isInTransaction) c.reply.error(errors.WRONG_PASSWORD);
  else c.park(waiting.then(() => (reply) => reply.error(errors.WRONG_PASSWORD)));
}

/** Checks the arguments that hold user (0: the default one) and password, and lets the session in. */
function authenticate(c: CommandContext, userIndex: number, passwordIndex: number): boolean {
  const user = userIndex === 0 ? DEFAULT_USER : c.argText(userIndex);
  // Without a password the default user is let in with any.
  const isRight = c.services.hasPassword
    ? c.services.isPassword(user, c.argBytes(passwordIndex))
    : user === DEFAULT_USER;
  if (!isRight) return false;
  c.session.isAuthenticated = true;
  c.session.user = user;
  return true;
}

/** HELLO [protover [AUTH username password] [SETNAME clientname]] */
function hello(c: CommandContext): void {
  if (c.argCount > 1) {
    const version = parseBigInteger(c.bytes, c.argStart(1), c.argEnd(1));
    if (version === null) {
      return c.reply.error("ERR Protocol version is not an integer or out of range");
    }
    if (version !== 2n && version !== 3n) return c.reply.error(errors.NO_PROTOCOL);
  }
  let userIndex = 0, nameIndex = 0;
  for (let i = 2; i < c.argCount; i++) {
    const more = c.argCount - 1 - i;
    if (c.argIs(i, "AUTH") && more >= 2) {
      userIndex = i + 1;
      i += 2;
    } else if (c.argIs(i, "SETNAME") && more >= 1) {
      nameIndex = ++i;
      if (!isClientName(c.argBytes(i))) return c.reply.error(errors.BAD_CLIENT_NAME);
    } else return c.reply.error(`ERR Syntax error in HELLO option '${c.argText(i)}'`);
  }
  if (userIndex !== 0 && !authenticate(c, userIndex, userIndex + 1)) {
    return refusePassword(c);
  }
  if (!c.session.isAuthenticated) return c.reply.error(errors.NOT_AUTHENTICATED_HELLO);
  if (nameIndex !== 0) c.session.name = c.argText(nameIndex);
  if (c.argCount > 1) useVersion(c, c.argIs(1, "3") ? 3 : 2);
  replyHello(c);
}

/** The reply that says so is in the new version already. */
function useVersion(c: CommandContext, version: 2 | 3): void {
  c.session.protocolVersion = version;
  c.reply.useVersion(version);
  c.loudReply.useVersion(version);
}

function replyHello({ reply, session }: CommandContext): void {
  reply.map(7);
  reply.bulkText("server");
  reply.bulkText("redis");
  reply.bulkText("version");
  reply.bulkText(REDIS_VERSION);
  reply.bulkText("proto");
  reply.integer(session.protocolVersion);
  reply.bulkText("id");
  reply.integer(session.id);
  reply.bulkText("mode");
  reply.bulkText("standalone");
  reply.bulkText("role");
  reply.bulkText("master");
  reply.bulkText("modules");
  reply.array(0);
}

/** RESET: as if the client had just connected. */
function reset(c: CommandContext): void {
  const session = c.session;
  selectDatabase(session, c.services.settings, 0);
  session.name = "";
  useVersion(c, 2);
  session.replyMode = REPLY_ON;
  session.isNoTouch = false;
  session.isNoEvict = false;
  c.services.monitor.end(session);
  c.transactions.queue.end(session);
  session.user = DEFAULT_USER;
  session.isAuthenticated = !c.services.hasPassword;
  c.reply.status("RESET");
}

const ROW = { kind: KEYLESS, group: "connection", ...NO_KEY } as const;

export const CONNECTION_ROWS: readonly CommandRow[] = [
  {
    ...ROW,
    name: "ping",
    arity: -1,
    flags: 0,
    since: "1.0.0",
    summary: "Ping the server",
    run: ping,
  },
  {
    ...ROW,
    name: "echo",
    arity: 2,
    flags: LOADING,
    since: "1.0.0",
    summary: "Echo a message",
    run: echo,
  },
  {
    ...ROW,
    name: "quit",
    arity: -1,
    flags: NO_AUTH | LOADING,
    since: "1.0.0",
    summary: "Close the connection",
    run: quit,
  },
  {
    ...ROW,
    name: "select",
    arity: 2,
    flags: LOADING,
    since: "1.0.0",
    summary: "Change the database of the connection",
    run: select,
  },
  {
    ...ROW,
    name: "auth",
    arity: -2,
    flags: NO_AUTH | LOADING,
    since: "1.0.0",
    summary: "Authenticate to the server",
    run: auth,
  },
  {
    ...ROW,
    name: "hello",
    arity: -1,
    flags: NO_AUTH | LOADING,
    since: "6.0.0",
    summary: "Agree on the protocol, authenticate and name the connection",
    run: hello,
  },
  {
    ...ROW,
    name: "reset",
    arity: 1,
    flags: NO_AUTH | LOADING,
    since: "6.2.0",
    summary: "Reset the connection",
    run: reset,
  },
];
