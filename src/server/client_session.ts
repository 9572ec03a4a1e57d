// What the server remembers of a client whatever it came over; knows neither socket nor request.
import { REPLY_ON, type Session, type SessionTransaction } from "../session.ts";

/** What a client is at its start. */
export interface SessionStart {
  readonly id: number;
  readonly address: string;
  readonly localAddress: string;
  readonly createdAtMs: number;
  readonly isAuthenticated: boolean;
}

/** A session as it is at its start; `user` and what follows it are changed by commands. */
export abstract class ClientSession implements Session {
  lastCommandAtMs: number;
  lastCommand = "";
  protocolVersion = 2;
  database = 0;
  databaseVersion = 0;
  databaseNumber = 0;
  user = "default";
  name = "";
  libraryName = "";
  libraryVersion = "";
  replyMode = REPLY_ON;
  isNoTouch = false;
  isNoEvict = false;
  isMonitor = false;
  isClosing = false;
  transaction: SessionTransaction | null = null;

  constructor(
    public isAuthenticated: boolean,
    readonly address: string,
    readonly localAddress: string,
    readonly createdAtMs: number,
  ) {
    this.lastCommandAtMs = createdAtMs;
  }

  abstract readonly id: number;
  abstract push(bytes: Uint8Array, waitingBytesMax: number): void;
  abstract kill(): void;
  abstract bufferedBytes(): { input: number; output: number };
}
