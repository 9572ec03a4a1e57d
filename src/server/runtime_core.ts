// The runtime's core, as far as sockets use it past its public functions: looked up once, absent in a version that has it not.

/** A read gives a count of 0 at the end. */
export interface RuntimeCore {
  /** Where a connection of the runtime keeps the number of its resource. */
  readonly internalRidSymbol: symbol;
  read(resource: number, into: Uint8Array): Promise<number>;
  write(resource: number, bytes: Uint8Array): Promise<number>;
  /** Lets go of a resource, if it is still there. */
  tryClose(resource: number): void;
}

const FUNCTIONS = ["read", "write", "tryClose"] as const;

/** Null where it is not as it is known: the public ways have to do. */
export const runtimeCore: RuntimeCore | null = findCore();

function findCore(): RuntimeCore | null {
  const { internal } = Deno as unknown as { internal?: symbol };
  if (internal === undefined) return null;
  const inner = Deno as unknown as Record<symbol, { core?: Partial<RuntimeCore> } | undefined>;
  const core = inner[internal]?.core;
  const isKnown = typeof core?.internalRidSymbol === "symbol" &&
    FUNCTIONS.every((name) => typeof core[name] === "function");
  return isKnown ? core as RuntimeCore : null;
}
