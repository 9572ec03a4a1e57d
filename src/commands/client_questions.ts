// What a worker answers when another asks about its clients: CLIENT LIST and CLIENT KILL over the bus.
import type { Bus } from "../bus.ts";
import type { Sessions } from "../session.ts";
import { type ClientFilter, clientLine, isChosen } from "./client_line.ts";
import type { Services } from "./services.ts";

/** The bus's payload of `client-list` and `client-kill`. */
export interface ClientQuestion {
  readonly filter: ClientFilter;
  /** The connection that asks: it closes by itself, after its reply. */
  readonly askerId: number;
  /** The asking command's moment: ages are counted to it. */
  readonly nowMs: number;
}

export type ClientListAnswer = readonly { readonly id: number; readonly line: string }[];

export interface ClientKillAnswer {
  /** Clients that were chosen, the asker included. */
  readonly count: number;
  readonly isAskerChosen: boolean;
}

export function answerClientList(
  sessions: Sessions,
  { filter, nowMs }: ClientQuestion,
): ClientListAnswer {
  const chosen = [...sessions.values()].filter((session) => isChosen(session, filter, nowMs));
  return chosen.map((session) => ({ id: session.id, line: clientLine(session, nowMs) }));
}

export function answerClientKill(
  sessions: Sessions,
  { filter, askerId, nowMs }: ClientQuestion,
): ClientKillAnswer {
  const chosen = [...sessions.values()].filter((session) => isChosen(session, filter, nowMs));
  for (const session of chosen) if (session.id !== askerId) session.kill();
  return { count: chosen.length, isAskerChosen: chosen.some((each) => each.id === askerId) };
}

/** Has a worker answer for its own clients. */
export function registerClientAnswers(bus: Bus, { sessions }: Pick<Services, "sessions">): void {
  bus.answer("client-list", (payload) => answerClientList(sessions, payload as ClientQuestion));
  bus.answer("client-kill", (payload) => answerClientKill(sessions, payload as ClientQuestion));
}
