// CLIENT and its subcommands; other workers' clients are asked for over the bus.
import { BAD_CLIENT_NAME, NO_SUCH_CLIENT, SYNTAX } from "../errors.ts";
import { ADMIN, ASKS, type CommandRow, KEYLESS, LOADING, SLOW } from "./command_row.ts";
import { CLIENT_MODE_ROWS } from "./client_modes.ts";
import { type ClientFilter, clientLine, clientType, isClientName } from "./client_line.ts";
import type { ClientKillAnswer, ClientListAnswer, ClientQuestion } from "./client_questions.ts";
import { runSubcommand } from "./container.ts";
import type { CommandContext } from "./context.ts";
import { NO_KEY } from "./row_parts.ts";

export { registerClientAnswers } from "./client_questions.ts";

/** CLIENT ID */
function id(c: CommandContext): void {
  c.reply.integer(c.session.id);
}

/** CLIENT GETNAME */
function getName(c: CommandContext): void {
  if (c.session.name === "") c.reply.nil();
  else c.reply.bulkText(c.session.name);
}

/** CLIENT SETNAME name; the empty name takes it away. */
function setName(c: CommandContext): void {
  if (!isClientName(c.argBytes(2))) return c.reply.error(BAD_CLIENT_NAME);
  c.session.name = c.argText(2);
  c.reply.ok();
}

/** CLIENT SETINFO LIB-NAME name | LIB-VER version */
function setInfo(c: CommandContext): void {
  const isName = c.argIs(2, "LIB-NAME");
  if (!isName && !c.argIs(2, "LIB-VER")) {
    return c.reply.error(`ERR Unrecognized option '${c.argText(2)}'`);
  }
  if (!isClientName(c.argBytes(3))) {
    const name = isName ? "lib-name" : "lib-ver";
    return c.reply.error(`ERR ${name} cannot contain spaces, newlines or special characters.`);
  }
  if (isName) c.session.libraryName = c.argText(3);
  else c.session.libraryVersion = c.argText(3);
  c.reply.ok();
}

/** CLIENT INFO */
function info(c: CommandContext): void {
  c.session.lastCommand = "client|info";
  c.reply.verbatim(`${clientLine(c.session, c.nowMs)}\n`);
}

/** CLIENT LIST [TYPE type | ID id [id ...]] */
function list(c: CommandContext): void {
  const filter = listFilter(c);
  if (filter === null) return;
  c.session.lastCommand = "client|list";
  const answers = c.services.bus.ask<ClientListAnswer>("client-list", question(c, filter));
  c.park(answers.then(
    (lists) => (reply) => reply.verbatim(listText(lists.flat(), filter.ids)),
    (error: Error) => (reply) => reply.error(`ERR ${error.message}`),
  ));
}

/** In the order of the ids asked for, else by id. */
function listText(clients: ClientListAnswer, ids?: readonly number[]): string {
  const lines = new Map(clients.map(({ id, line }) => [id, line]));
  const order = ids ?? [...lines.keys()].sort((a, b) => a - b);
  return order.map((id) => lines.get(id)).filter((line) => line !== undefined)
    .map((line) => `${line}\n`).join("");
}

/** Null if the options are wrong, and then the error is the reply. */
function listFilter(c: CommandContext): ClientFilter | null {
  if (c.argCount === 2) return {};
  if (c.argCount === 4 && c.argIs(2, "TYPE")) {
    const type = clientType(c.argText(3));
    return type !== null ? { type } : failed(c, `ERR Unknown client type '${c.argText(3)}'`);
  }
  if (c.argCount === 3 || !c.argIs(2, "ID")) return failed(c, SYNTAX);
  const ids: number[] = [];
  for (let i = 3; i < c.argCount; i++) {
    const id = c.argInteger(i);
    if (id !== id) return failed(c, "ERR Invalid client ID");
    ids.push(id);
  }
  return { ids };
}

/**
 * CLIENT KILL address | [ID id] [TYPE type] [USER user] [ADDR address] [LADDR address] [SKIPME yes|no]
 * [MAXAGE seconds]
 */
function kill(c: CommandContext): void {
  const isOldForm = c.argCount === 3;
  const filter = isOldForm ? { address: c.argText(2) } : killFilter(c);
  if (filter === null) return;
  const session = c.session;
  const answers = c.services.bus.ask<ClientKillAnswer>("client-kill", question(c, filter));
  c.park(answers.then(
    (all) => (reply) => {
      const count = all.reduce((total, each) => total + each.count, 0);
      if (!isOldForm) reply.integer(count);
      else if (count === 0) reply.error(NO_SUCH_CLIENT);
      else reply.ok();
      if (all.some((each) => each.isAskerChosen)) session.isClosing = true;
    },
    (error: Error) => (reply) => reply.error(`ERR ${error.message}`),
  ));
}

/** Null if the options are wrong, and then the error is the reply. */
function killFilter(c: CommandContext): ClientFilter | null {
  const filter: { -readonly [Name in keyof ClientFilter]: ClientFilter[Name] } = {};
  filter.skipId = c.session.id;
  for (let i = 2; i < c.argCount; i += 2) {
    if (i + 1 === c.argCount) return failed(c, SYNTAX);
    const text = c.argText(i + 1);
    if (c.argIs(i, "ID")) {
      const id = c.argInteger(i + 1);
      if (!(id > 0)) return failed(c, "ERR client-id should be greater than 0");
      filter.ids = [id];
    } else if (c.argIs(i, "TYPE")) {
      const type = clientType(text);
      if (type === null) return failed(c, `ERR Unknown client type '${text}'`);
      filter.type = type;
    } else if (c.argIs(i, "ADDR")) filter.address = text;
    else if (c.argIs(i, "LADDR")) filter.localAddress = text;
    else if (c.argIs(i, "USER")) {
      if (text !== "default") return failed(c, `ERR No such user '${text}'`);
      filter.user = text;
    } else if (c.argIs(i, "MAXAGE")) {
      const ageS = c.argInteger(i + 1);
      if (ageS !== ageS) return failed(c, "ERR maxage is not an integer or out of range");
      if (ageS <= 0) return failed(c, "ERR maxage should be greater than 0");
      filter.ageS = ageS;
    } else if (c.argIs(i, "SKIPME") && c.argIs(i + 1, "YES")) filter.skipId = c.session.id;
    else if (c.argIs(i, "SKIPME") && c.argIs(i + 1, "NO")) delete filter.skipId;
    else return failed(c, SYNTAX);
  }
  return filter;
}

function question(c: CommandContext, filter: ClientFilter): ClientQuestion {
  return { filter, askerId: c.session.id, nowMs: c.nowMs };
}

function failed(c: CommandContext, text: string): null {
  c.reply.error(text);
  return null;
}

const ROW = { kind: KEYLESS, flags: LOADING, group: "connection", ...NO_KEY } as const;

export const CLIENT_SUBCOMMANDS: readonly CommandRow[] = [
  {
    ...ROW,
    name: "client|id",
    arity: 2,
    since: "5.0.0",
    summary: "Return the ID of the current connection",
    run: id,
  },
  {
    ...ROW,
    name: "client|getname",
    arity: 2,
    since: "2.6.9",
    summary: "Return the name of the current connection",
    run: getName,
  },
  {
    ...ROW,
    name: "client|setname",
    arity: 3,
    since: "2.6.9",
    summary: "Name the current connection: one argument without blanks, empty for no name",
    run: setName,
  },
  {
    ...ROW,
    name: "client|setinfo",
    arity: 4,
    since: "7.2.0",
    summary: "Tell the client library: LIB-NAME name or LIB-VER version",
    run: setInfo,
  },
  {
    ...ROW,
    name: "client|info",
    arity: 2,
    since: "6.2.0",
    summary: "Return information about the current connection",
    run: info,
  },
  {
    ...ROW,
    name: "client|list",
    arity: -2,
    flags: LOADING | SLOW | ADMIN | ASKS,
    since: "2.4.0",
    summary: "Return information about connections: all, TYPE type, or ID id [id ...]",
    run: list,
  },
  {
    ...ROW,
    name: "client|kill",
    arity: -3,
    flags: LOADING | SLOW | ADMIN | ASKS,
    since: "2.4.0",
    summary: "Close connections: address, or any of ID, TYPE, USER, ADDR, LADDR, SKIPME, MAXAGE",
    run: kill,
  },
  ...CLIENT_MODE_ROWS,
];

export const CLIENT_ROWS: readonly CommandRow[] = [
  {
    ...ROW,
    name: "client",
    arity: -2,
    flags: LOADING | SLOW,
    since: "2.4.0",
    summary: "Commands about connections",
    run: (c) => runSubcommand(c, "client", CLIENT_SUBCOMMANDS),
  },
];
