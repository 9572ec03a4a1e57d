// A client's socket by the shortest way that the runtime has; knows no protocol.
//
// `conn.read()` and `conn.write()` are functions around an operation of the runtime's core. What they do more, for
// `ref()` and for streams, nobody needs here, and it took 8 % of the server's CPU of GETs in batches of 16. So the core is
// asked itself; where it is not as it is known (another version), the public way is taken, and does the same.
import type { Socket } from "./connection_host.ts";

/** The runtime's core, as far as it is used here: a count of 0 is the end. */
interface Core {
  readonly internalRidSymbol: symbol;
  read(resource: number, into: Uint8Array): Promise<number>;
  write(resource: number, bytes: Uint8Array): Promise<number>;
}

const core = findCore();
/** Whether this runtime has the short way. */
export const isShort = core !== null;

/** What a connection reads from and writes to. */
export function socketOf(conn: Deno.Conn): Socket {
  const resource = core === null
    ? undefined
    : (conn as unknown as Record<symbol, unknown>)[core.internalRidSymbol];
  return typeof resource === "number"
    ? new ShortSocket(core!, conn, resource)
    : new PublicSocket(conn);
}

class ShortSocket implements Socket {
  readonly #core: Core;
  readonly #conn: Deno.Conn;
  readonly #resource: number;

  constructor(core: Core, conn: Deno.Conn, resource: number) {
    this.#core = core;
    this.#conn = conn;
    this.#resource = resource;
  }

  read(into: Uint8Array): Promise<number> {
    return this.#core.read(this.#resource, into);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#core.write(this.#resource, bytes);
  }

  close(): void {
    this.#conn.close();
  }
}

export class PublicSocket implements Socket {
  readonly #conn: Deno.Conn;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  async read(into: Uint8Array): Promise<number> {
    return await this.#conn.read(into) ?? 0;
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#conn.write(bytes);
  }

  close(): void {
    this.#conn.close();
  }
}

function findCore(): Core | null {
  const { internal } = Deno as unknown as { internal?: symbol };
  if (internal === undefined) return null;
  const core = (Deno as unknown as Record<symbol, { core?: Partial<Core> } | undefined>)[internal]
    ?.core;
  return typeof core?.internalRidSymbol === "symbol" && typeof core.read === "function" &&
      typeof core.write === "function"
    ? core as Core
    : null;
}
