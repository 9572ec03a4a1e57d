// Proves before the workers listen that this process can have its port on each host; it keeps no
// listener and accepts nothing. With SO_REUSEPORT alone a second server would share the port
// silently, a plain bind fails even against a listener that allows sharing.

/** What can be listened on; `skipped` are hosts of a family that the machine lacks. */
export interface ProbedPorts {
  readonly hosts: readonly string[];
  readonly port: number;
  readonly skipped: readonly string[];
}

export type Listen = (options: { hostname: string; port: number }) => {
  readonly addr: Deno.Addr;
  close(): void;
};

/** Tries with port 0: the port that the first host was given may be taken on another one. */
const FREE_PORT_TRIES_MAX = 16;

/**
 * Binds and closes `port` on each host; 0 becomes one free port for all of them. The error is one
 * line that names the address and the remedy; `flag` is the one that the port came from.
 */
export function probePorts(
  hosts: readonly string[],
  port: number,
  listen: Listen = Deno.listen,
  flag = "--port",
): { readonly ok: ProbedPorts } | { readonly error: string } {
  for (let attempt = 1;; attempt++) {
    const found = probeOnce(hosts, port, listen, flag);
    if (port !== 0 || !("taken" in found) || attempt === FREE_PORT_TRIES_MAX) return found;
  }
}

function probeOnce(
  hosts: readonly string[],
  wantedPort: number,
  listen: Listen,
  flag: string,
): { ok: ProbedPorts } | { error: string; taken?: true } {
  const usable: string[] = [];
  const skipped: string[] = [];
  let port = wantedPort;
  for (const host of hosts) {
    try {
      const listener = listen({ hostname: host, port });
      port = (listener.addr as Deno.NetAddr).port;
      listener.close();
      usable.push(host);
    } catch (error) {
      if (lacksFamily(host, error)) {
        skipped.push(host);
        continue;
      }
      const text = `cannot listen on ${hostAndPort(host, port)}: ${reasonOf(error, flag)}`;
      return error instanceof Deno.errors.AddrInUse
        ? { error: text, taken: true }
        : { error: text };
    }
  }
  if (usable.length === 0) {
    return {
      error: `cannot listen on ${hosts.map((host) => hostAndPort(host, port)).join(", ")}: ` +
        "the machine has none of these address families; choose another --host",
    };
  }
  return { ok: { hosts: usable, port, skipped } };
}

/** Loopback and "any" exist wherever their family does; another address may merely be a wrong one. */
const ALWAYS_THERE: readonly string[] = ["127.0.0.1", "0.0.0.0", "::1", "::"];

function lacksFamily(host: string, error: unknown): boolean {
  if ((error as { code?: string }).code === "EAFNOSUPPORT") return true;
  return error instanceof Deno.errors.AddrNotAvailable && ALWAYS_THERE.includes(host);
}

function reasonOf(error: unknown, flag: string): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return `address in use; stop what listens there or choose another ${flag}`;
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return "the machine has no such address; choose another --host";
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return `permission denied; ports below 1024 may need more rights, choose another ${flag}`;
  }
  if (error instanceof Deno.errors.NotCapable) return "started without --allow-net for it";
  return error instanceof Error ? error.message.split("\n")[0]! : String(error);
}

/** `127.0.0.1:6379`, `[::1]:6379`. */
export function hostAndPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
