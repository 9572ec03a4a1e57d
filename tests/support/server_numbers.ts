// What a running server tells of itself through INFO and STATS, and waiting with a bound until its
// numbers, or anything else, are as a test wants them. It must not know what any number should be.

import assert from "node:assert/strict";
import { plain, type RespClient } from "./resp_client.ts";

const UNTIL_MS_MAX = 15_000;
const POLL_MS = 20;

/** INFO as name and value; numbers are read with `number()`. */
export class ServerInfo {
  readonly #values: ReadonlyMap<string, string>;

  constructor(text: string) {
    const lines = text.split("\r\n").filter((line) => line.includes(":") && !line.startsWith("#"));
    this.#values = new Map(lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1)];
    }));
  }

  /** Throws where INFO has no such line: a test must not compare with nothing. */
  text(name: string): string {
    const value = this.#values.get(name);
    assert.notEqual(value, undefined, `INFO has no line ${name}`);
    return value!;
  }

  /** `name:value` of each line. */
  lines(): string[] {
    return [...this.#values].map(([name, value]) => `${name}:${value}`);
  }

  number(name: string): number {
    const value = Number(this.text(name));
    assert.ok(Number.isFinite(value), `INFO's ${name} is no number: ${this.text(name)}`);
    return value;
  }
}

/** INFO of the server behind `client`, all sections. */
export async function readInfo(client: RespClient): Promise<ServerInfo> {
  return new ServerInfo(plain(await client.command("INFO")) as string);
}

/** One number of INFO. */
export async function infoNumber(client: RespClient, name: string): Promise<number> {
  return (await readInfo(client)).number(name);
}

/** STATS, parsed. */
export async function readStats(client: RespClient): Promise<Record<string, unknown>> {
  return JSON.parse(plain(await client.command("STATS")) as string);
}

/**
 * Asks again and again until `holds` is true of what `look` gives, and gives that; throws with the
 * last of it after `timeoutMs`.
 */
export async function until<Seen>(
  what: string,
  look: () => Seen | Promise<Seen>,
  holds: (seen: Seen) => boolean,
  timeoutMs: number = UNTIL_MS_MAX,
): Promise<Seen> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (performance.now() >= deadlineMs) {
      throw new Error(`Not within ${timeoutMs} ms: ${what}: last seen ${JSON.stringify(seen)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Waits until a number of INFO is `expected`, for what the server lets go of a moment later. */
export async function untilInfo(
  client: RespClient,
  name: string,
  expected: number,
  timeoutMs?: number,
): Promise<void> {
  await until(
    `INFO's ${name} is ${expected}`,
    () => infoNumber(client, name),
    (value) => value === expected,
    timeoutMs,
  );
}
