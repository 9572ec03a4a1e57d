// What the server remembers of one client between its commands; knows no socket and no protocol's syntax.

/** Whether a client gets replies: all, none, or none to its next command. */
export const REPLY_ON = 0;
export const REPLY_OFF = 1;
export const REPLY_SKIP = 2;

/** What a session keeps between MULTI and EXEC, and of WATCH, as others may see it. */
export interface SessionTransaction {
  /** Whether MULTI has begun it, so that commands are queued. */
  readonly isOpen: boolean;
  readonly commandCount: number;
  readonly watchCount: number;
}

/** Who a client is and what it has chosen. One per connection. */
export interface Session {
  /** Unique over all workers. */
  readonly id: number;
  /** `address:port` of the client and of the end it reached. */
  readonly address: string;
  readonly localAddress: string;
  readonly createdAtMs: number;
  lastCommandAtMs: number;
  /** Lower case, `command|subcommand` where it has one; empty before the first. */
  lastCommand: string;
  /** Of RESP: 2 or 3. */
  protocolVersion: number;
  /** As entries know it, at `databaseVersion` of the settings; SWAPDB changes it. */
  database: number;
  databaseVersion: number;
  /** As the client knows it: 0 to 15. */
  databaseNumber: number;
  isAuthenticated: boolean;
  user: string;
  name: string;
  libraryName: string;
  libraryVersion: string;
  /** One of REPLY_ON, REPLY_OFF, REPLY_SKIP. */
  replyMode: number;
  /** Its reads leave the access clocks as they are. */
  isNoTouch: boolean;
  /** Noted for CLIENT LIST; no client is closed to save memory but for what it holds itself. */
  isNoEvict: boolean;
  /** Set by QUIT and CLIENT KILL: the connection closes once its replies are sent. */
  isClosing: boolean;
  /** Whether it is told every command that anybody runs; set by `services.monitor` alone. */
  isMonitor: boolean;
  /** Null outside of MULTI, while nothing is watched. */
  transaction: SessionTransaction | null;
  /** Sends bytes that are no reply; never while commands run. Drops the client past `waitingBytesMax` unread ones. */
  push(bytes: Uint8Array, waitingBytesMax: number): void;
  /** Ends the connection at once, from any command of this worker. */
  kill(): void;
  /** Bytes that wait in the read buffer, and in replies: for CLIENT LIST. */
  bufferedBytes(): { input: number; output: number };
}

/** All sessions of this worker, by id. */
export type Sessions = Map<number, Session>;
