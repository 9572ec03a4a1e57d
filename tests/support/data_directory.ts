// A temporary data directory for servers with a log, and the whole state of one to compare.
import { connect, plain, type RespClient } from "./resp_client.ts";

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

/**
 * Every entry of every database: number, key, serialized value, moment of expiry (−1: none); of a hash, whose order may
 * be another after a start, the same for each field; sorted.
 */
export async function wholeState(port: number): Promise<string[]> {
  using client = await connect(port);
  const lines: string[] = [];
  for (let database = 0; database < 16; database++) {
    await client.command("SELECT", String(database));
    const keys = (await client.command("KEYS", "*")) as Uint8Array[];
    for (const key of keys) {
      const at = Number(await client.command("PEXPIRETIME", key));
      if (plain(await client.command("TYPE", key)) === "+hash") {
        for (const field of await fieldLines(client, key, at)) lines.push(`${database} ${field}`);
        continue;
      }
      const dump = await client.command("DUMP", key);
      if (!(dump instanceof Uint8Array)) continue; // expired since
      lines.push(`${database} ${text(key)} ${text(dump)} ${at}`);
    }
  }
  return lines.sort();
}

/** A field expires with its key, if not before. */
async function fieldLines(client: RespClient, key: Uint8Array, keyAtMs: number): Promise<string[]> {
  const flat = await client.command("HGETALL", key) as Uint8Array[];
  const names = flat.filter((_, i) => i % 2 === 0), count = String(names.length);
  if (names.length === 0) return [];
  const moments = await client.command("HPEXPIRETIME", key, "FIELDS", count, ...names);
  return names.map((name, i) => {
    const moment = Number((moments as unknown[])[i]);
    const atMs = moment < 0 ? keyAtMs : keyAtMs < 0 ? moment : Math.min(moment, keyAtMs);
    return `${text(key)} ${text(name)} ${text(flat[i * 2 + 1])} key ${keyAtMs} ${atMs}`;
  });
}

function text(bytes: Uint8Array): string {
  return bytes.length > 400
    ? `${bytes.length} bytes, ${bytes.reduce((sum, byte) => (sum * 31 + byte) | 0, 7)}`
    : Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}
