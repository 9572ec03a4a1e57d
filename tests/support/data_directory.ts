// A temporary data directory for servers with a log, and the whole state of one to compare.
import { connect } from "./resp_client.ts";

/** Removed when it goes out of scope. */
export class DataDirectory {
  readonly path = Deno.makeTempDirSync({ prefix: "mayfly-data-" });

  /** Flags of a server that keeps its entries here. */
  flags(fsync: "always" | "interval" | "never"): string[] {
    return ["--persistence", "on", "--data-dir", this.path, "--fsync", fsync];
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** Every entry of every database: number, key, serialized value, moment of expiry; sorted. */
export async function wholeState(port: number): Promise<string[]> {
  using client = await connect(port);
  const lines: string[] = [];
  for (let database = 0; database < 16; database++) {
    await client.command("SELECT", String(database));
    const keys = (await client.command("KEYS", "*")) as Uint8Array[];
    for (const key of keys) {
      const dump = await client.command("DUMP", key);
      if (!(dump instanceof Uint8Array)) continue; // expired since
      const at = await client.command("PEXPIRETIME", key);
      lines.push(`${database} ${text(key)} ${text(dump)} ${at}`);
    }
  }
  return lines.sort();
}

function text(bytes: Uint8Array): string {
  return bytes.length > 400
    ? `${bytes.length} bytes, ${bytes.reduce((sum, byte) => (sum * 31 + byte) | 0, 7)}`
    : Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}
