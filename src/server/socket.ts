// A client's socket by the shortest way that the runtime has; knows no protocol.
//
// `conn.read()` and `conn.write()` are functions around an operation of the runtime's core. What they do more, for
// `ref()` and for streams, nobody needs here, and it took 8 % of the server's CPU of GETs in batches of 16. So the core is
// asked itself; where it is not as it is known (another version), the public way is taken, and does the same.
import type { Socket } from "./connection_host.ts";
import { type RuntimeCore, runtimeCore } from "./runtime_core.ts";

/** Whether this runtime has the short way. */
export const isShort = runtimeCore !== null;

/** What a connection reads from and writes to. */
export function socketOf(conn: Deno.Conn): Socket {
  if (runtimeCore === null) return new PublicSocket(conn);
  const resource = (conn as unknown as Record<symbol, unknown>)[runtimeCore.internalRidSymbol];
  return typeof resource === "number"
    ? new ShortSocket(runtimeCore, conn, resource)
    : new PublicSocket(conn);
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

  closeWrite(): Promise<void> {
    return (this.#conn as Deno.TcpConn).closeWrite();
  }

  close(): void {
    this.#conn.close();
  }
}

class ShortSocket extends PublicSocket {
  readonly #core: RuntimeCore;
  readonly #resource: number;

  constructor(core: RuntimeCore, conn: Deno.Conn, resource: number) {
    super(conn);
    this.#core = core;
    this.#resource = resource;
  }

  override read(into: Uint8Array): Promise<number> {
    return this.#core.read(this.#resource, into);
  }

  override write(bytes: Uint8Array): Promise<number> {
    return this.#core.write(this.#resource, bytes);
  }
}
