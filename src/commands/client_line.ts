// A client as CLIENT LIST shows it, and the filters that choose clients; knows sessions, not commands.
import type { Session } from "../session.ts";

/** Which clients are meant; what is absent holds for all. */
export interface ClientFilter {
  readonly ids?: readonly number[];
  readonly type?: ClientType;
  readonly address?: string;
  readonly localAddress?: string;
  readonly user?: string;
  /** Connected for at least this many seconds. */
  readonly ageS?: number;
  /** The id of the client that asks, if it is to be left out. */
  readonly skipId?: number;
}

const CLIENT_TYPES = ["normal", "master", "replica", "pubsub"] as const;
export type ClientType = typeof CLIENT_TYPES[number];

/** In any case; `slave` is the old word for a replica. Null for anything else. */
export function clientType(text: string): ClientType | null {
  const word = text.toLowerCase() === "slave" ? "replica" : text.toLowerCase();
  return CLIENT_TYPES.find((type) => type === word) ?? null;
}

export function isChosen(session: Session, filter: ClientFilter, nowMs: number): boolean {
  const { ids, type, address, localAddress, user, ageS, skipId } = filter;
  return (ids === undefined || ids.includes(session.id)) &&
    (type === undefined || type === "normal") &&
    (address === undefined || address === session.address) &&
    (localAddress === undefined || localAddress === session.localAddress) &&
    (user === undefined || user === session.user) &&
    (ageS === undefined || secondsSince(session.createdAtMs, nowMs) >= ageS) &&
    skipId !== session.id;
}

/** One line without its end, with Redis's fields as far as they mean something here. */
export function clientLine(session: Session, nowMs: number): string {
  const { input, output } = session.bufferedBytes(), { transaction } = session;
  return `id=${session.id} addr=${session.address} laddr=${session.localAddress} fd=-1` +
    ` name=${session.name} age=${secondsSince(session.createdAtMs, nowMs)}` +
    ` idle=${secondsSince(session.lastCommandAtMs, nowMs)} flags=${
      flagsOf(session)
    } db=${session.databaseNumber}` +
    ` sub=0 psub=0 ssub=0 multi=${transaction?.isOpen ? transaction.commandCount : -1}` +
    ` watch=${transaction?.watchCount ?? 0} qbuf=${input} qbuf-free=0 argv-mem=0 multi-mem=0` +
    ` obl=0 oll=0 omem=${output} tot-mem=${input + output} events=r` +
    ` cmd=${session.lastCommand === "" ? "NULL" : session.lastCommand} user=${session.user}` +
    ` redir=-1 resp=${session.protocolVersion}` +
    ` lib-name=${session.libraryName} lib-ver=${session.libraryVersion}`;
}

/** O: in MONITOR mode, x: between MULTI and EXEC, N: nothing of that kind. */
function flagsOf({ isMonitor, transaction }: Session): string {
  return `${isMonitor ? "O" : ""}${transaction?.isOpen ? "x" : ""}` || "N";
}

function secondsSince(momentMs: number, nowMs: number): number {
  return Math.max(0, Math.floor((nowMs - momentMs) / 1000));
}

/** Whether the bytes may be a client's or a library's name: they must not break CLIENT LIST's line. */
export function isClientName(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte >= 33 && byte <= 126);
}
