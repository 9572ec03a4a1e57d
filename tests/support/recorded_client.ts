// A client that keeps account of what it was told: after a crash it says whether a server holds exactly that.
//
// Its keys are its own, so what they hold follows from its commands alone. Of the commands that were sent and
// not answered, the server may have taken the first few, each of them whole, and none after one it lacks.
// Longer than most files, because what each command does to the account stands beside how it is sent.

import assert from "node:assert/strict";
import { connect, plain, type PlainReply, type RespClient } from "./resp_client.ts";
import type { Random } from "./store_access.ts";

/** Expiry in ms since 1970, as narrow as the client knows it; 0 to 0: never. */
interface Entry {
  readonly value: string;
  readonly earliestMs: number;
  readonly latestMs: number;
}
type Entries = Map<string, Entry>;

/** One command: what it does to the client's entries, and what the reply must be by them. */
interface Step {
  readonly args: readonly string[];
  apply(entries: Entries): void;
  check(reply: PlainReply, before: Entries): void;
}

/** A command that was sent, and when its answer came, by `performance.now()`. */
interface Sent {
  readonly step: Step;
  answeredAtMs: number;
}

/** Far enough that nothing expires while a test runs. */
const EXPIRY_MS_MIN = 3_600_000;
const SPAN_MS = 1000 * 86_400;
const GROUP_KEYS = 6;
const APPENDED_CHARS_MAX = 20_000;
const BATCH_MAX = 6;
/** The server's clock and this one's are the same; each is read in whole ms. */
const CLOCK_SLACK_MS = 2;

export class RecordedClient {
  /** Commands that were answered. */
  acknowledged = 0;
  /** Commands of which the crash left the outcome open: that were taken, and that were not. */
  readonly open = { taken: 0, lost: 0 };
  /** What was found at the last look, what was sent since, and what that comes to as far as it was answered. */
  #found: Entries = new Map();
  #sent: Sent[] = [];
  #answered = 0;
  #entries: Entries = new Map();
  #count = 0;

  constructor(readonly name: string, readonly database: number, readonly random: Random) {}

  /** Sends commands in small pipelines until the server is gone. */
  async run(port: number): Promise<void> {
    let client: RespClient;
    try {
      client = await connect(port, { timeoutMs: 30_000 });
    } catch {
      return; // Killed this early.
    }
    try {
      await client.command("SELECT", String(this.database));
    } catch {
      return client.close();
    }
    for (let isThere = true; isThere;) {
      const planned: Entries = new Map(this.#entries);
      const batch: Step[] = [];
      for (let left = 1 + this.random.below(BATCH_MAX); left > 0; left--) {
        const step = this.#next(planned);
        step.apply(planned);
        batch.push(step);
      }
      this.#sent.push(...batch.map((step) => ({ step, answeredAtMs: Infinity })));
      isThere = await this.#send(client, batch);
    }
    client.close();
  }

  /**
   * Reads all of its keys and throws unless the server holds what the first so many commands come to, among them
   * all that were answered before `mustHoldUntilMs`. What was found counts from now on.
   */
  async verify(client: RespClient, mustHoldUntilMs = Infinity): Promise<void> {
    await client.command("SELECT", String(this.database));
    const seen = await this.#read(client);
    const must =
      this.#sent.findLastIndex((each) =>
        each.answeredAtMs < Math.min(mustHoldUntilMs, Number.MAX_VALUE)
      ) + 1;
    const entries = new Map(this.#found);
    let taken = -1, lines: string[] = [];
    for (let count = 0; count <= this.#sent.length; count++) {
      if (count > 0) this.#sent[count - 1].step.apply(entries);
      if (count < must) continue;
      const found = differences(entries, seen);
      if (count === must) lines = found;
      if (found.length === 0) taken = count;
    }
    if (taken < 0) {
      const open = this.#sent.slice(must).map(({ step }) => step.args.join(" ").slice(0, 100));
      assert.fail(
        `client ${this.name}: what must be there is not:\n${lines.join("\n")}\n` +
          `may be there, too: ${JSON.stringify(open.slice(0, 20))}`,
      );
    }
    this.open.taken += taken - must;
    this.open.lost += this.#sent.length - taken;
    this.#sent = [];
    this.#answered = 0;
    this.#found = seen;
    this.#entries = new Map(seen);
  }

  /** False once the server is gone. */
  async #send(client: RespClient, batch: readonly Step[]): Promise<boolean> {
    try {
      for (const reply of await client.pipeline(batch.map((each) => each.args))) {
        this.#acknowledge(plain(reply));
      }
      return true;
    } catch (error) {
      // A server that is there and silent is not one that was killed.
      const isSilent = /Nothing came within/.test(String(error));
      if (error instanceof assert.AssertionError || isSilent) throw error;
      // Answers that came before the end were told all the same; the pipeline says how many there were.
      const told = /^After (\d+) of \d+ replies/.exec((error as Error).message)?.[1] ?? 0;
      for (let i = 0; i < Number(told); i++) this.#acknowledge();
      return false;
    }
  }

  #acknowledge(reply?: PlainReply): void {
    const sent = this.#sent[this.#answered++];
    if (reply !== undefined) sent.step.check(reply, this.#entries);
    sent.step.apply(this.#entries);
    sent.answeredAtMs = performance.now();
    this.acknowledged++;
  }

  async #read(client: RespClient): Promise<Entries> {
    const keys = this.#keys();
    const replies = (await client.pipeline(
      keys.flatMap((key) => [["GET", key], ["PEXPIRETIME", key]]),
    )).map(plain);
    const seen: Entries = new Map();
    for (const [i, key] of keys.entries()) {
      let value = replies[2 * i];
      const expiry = Number(replies[2 * i + 1]);
      if (value === null) continue;
      if (/^-WRONGTYPE/.test(String(value))) value = await readFields(client, key);
      const atMs = expiry === -1 ? 0 : expiry;
      seen.set(key, { value: String(value), earliestMs: atMs, latestMs: atMs });
    }
    return seen;
  }

  #keys(): string[] {
    const own = (kind: string, count: number) =>
      Array.from({ length: count }, (_, i) => `${this.name}:${kind}:${i}`);
    return [
      ...own("string", 4),
      ...own("counter", 2),
      ...own("log", 2),
      ...own("group", GROUP_KEYS),
      ...own("moved", 2),
      ...own("hash", 2),
    ];
  }

  #key(kind: string, count: number): string {
    return `${this.name}:${kind}:${this.random.below(count)}`;
  }

  /** Names its key and number, and ends with both again: a torn or foreign value shows. */
  #value(key: string): string {
    const mark = `${key}#${++this.#count}`, kind = this.random.below(40);
    const chars = kind === 0 ? 40_000 : kind < 4 ? 2_000 : 10 + this.random.below(60);
    return `${mark}|${"x".repeat(chars)}|${mark}`;
  }

  /** What to send next, if what was sent before does what it should. */
  #next(planned: Entries): Step {
    const roll = this.random.below(100);
    if (roll < 12) return this.#set();
    if (roll < 28) return this.#setFields();
    if (roll < 34) return this.#changeFields(planned);
    if (roll < 40) return this.#increment();
    if (roll < 55) return this.#append(planned);
    if (roll < 65) return this.#setGroup();
    if (roll < 75) return this.#delete(planned);
    if (roll < 95) return this.#expire(planned, roll);
    return this.#rename(planned);
  }

  #set(): Step {
    const key = this.#key("string", 4),
      value = this.#value(key),
      isBrief = this.random.below(2) === 0;
    const atMs = isBrief ? this.#moment() : 0;
    return {
      args: ["SET", key, value, ...isBrief ? ["PXAT", String(atMs)] : []],
      apply: (entries) => void entries.set(key, { value, earliestMs: atMs, latestMs: atMs }),
      check: (reply) => assert.equal(reply, "+OK"),
    };
  }

  #increment(): Step {
    const key = this.#key("counter", 2);
    const after = (entries: Entries) => Number(entries.get(key)?.value ?? "0") + 1;
    return {
      args: ["INCR", key],
      apply: (entries) => change(entries, key, String(after(entries))),
      check: (reply, before) => assert.equal(reply, after(before)),
    };
  }

  /** One hash of a few fields, and one of some hundreds. */
  #setFields(): Step {
    const number = this.random.below(2), key = `${this.name}:hash:${number}`;
    const most = number === 0 ? 8 : 600, isMany = number === 1 && this.random.below(12) === 0;
    const count = isMany ? 200 : 1 + this.random.below(4);
    const names = Array.from({ length: count }, () => `f${this.random.below(most)}`);
    const pairs = names.map((name) => [name, `${name}#${++this.#count}`]);
    return {
      args: ["HSET", key, ...pairs.flat()],
      apply: (entries) => {
        const fields = fieldsOf(entries, key);
        for (const [name, value] of pairs) fields.set(name, { value, atMs: 0 });
        change(entries, key, textOf(fields));
      },
      check: (reply, before) => {
        const fields = fieldsOf(before, key);
        assert.equal(reply, new Set(names.filter((name) => !fields.has(name))).size);
      },
    };
  }

  #changeFields(planned: Entries): Step {
    const key = this.#key("hash", 2), names = [...fieldsOf(planned, key).keys()];
    const roll = this.random.below(10);
    if (names.length === 0 || roll < 3) return this.#incrementField(key);
    const chosen = names.filter((_, i) => i === 0 || this.random.below(names.length) < 3);
    if (roll < 7) return this.#expireFields(key, chosen, this.#moment());
    const gone = roll === 9 ? names : chosen;
    // A moment that is over removes them as well.
    if (roll === 7) return this.#expireFields(key, gone, 1);
    return {
      args: ["HDEL", key, ...gone],
      apply: (entries) => removeFields(entries, key, gone),
      check: (reply, before) => {
        const fields = fieldsOf(before, key);
        assert.equal(reply, gone.filter((name) => fields.has(name)).length);
      },
    };
  }

  #incrementField(key: string): Step {
    const after = (fields: Fields) => Number(fields.get("n")?.value ?? "0") + 1;
    return {
      args: ["HINCRBY", key, "n", "1"],
      apply: (entries) => {
        const fields = fieldsOf(entries, key);
        fields.set("n", { value: String(after(fields)), atMs: fields.get("n")?.atMs ?? 0 });
        change(entries, key, textOf(fields));
      },
      check: (reply, before) => assert.equal(reply, after(fieldsOf(before, key))),
    };
  }

  #expireFields(key: string, names: readonly string[], atMs: number): Step {
    return {
      args: ["HPEXPIREAT", key, String(atMs), "FIELDS", String(names.length), ...names],
      apply: (entries) => {
        if (atMs === 1) return removeFields(entries, key, names);
        const fields = fieldsOf(entries, key);
        for (const name of names) {
          const field = fields.get(name);
          if (field !== undefined) fields.set(name, { ...field, atMs });
        }
        if (fields.size > 0) change(entries, key, textOf(fields));
      },
      check: (reply, before) => {
        const fields = fieldsOf(before, key), done = atMs === 1 ? 2 : 1;
        assert.deepEqual(reply, names.map((name) => fields.has(name) ? done : -2));
      },
    };
  }

  #append(planned: Entries): Step {
    const key = this.#key("log", 2);
    if ((planned.get(key)?.value.length ?? 0) > APPENDED_CHARS_MAX) return this.#remove([key]);
    const added = `[${key}#${++this.#count}${"-".repeat(this.random.below(300))}]`;
    const after = (entries: Entries) => (entries.get(key)?.value ?? "") + added;
    return {
      args: ["APPEND", key, added],
      apply: (entries) => change(entries, key, after(entries)),
      check: (reply, before) => assert.equal(reply, after(before).length),
    };
  }

  #setGroup(): Step {
    const number = ++this.#count;
    const keys = Array.from({ length: GROUP_KEYS }, (_, i) => `${this.name}:group:${i}`);
    const filler = this.random.below(10) === 0 ? "y".repeat(20_000) : "";
    return {
      args: ["MSET", ...keys.flatMap((key) => [key, `${key}#${number}${filler}`])],
      apply: (entries) => {
        for (const key of keys) {
          entries.set(key, { value: `${key}#${number}${filler}`, earliestMs: 0, latestMs: 0 });
        }
      },
      check: (reply) => assert.equal(reply, "+OK"),
    };
  }

  #delete(planned: Entries): Step {
    const keys = [...planned.keys()];
    if (keys.length === 0) return this.#increment();
    const chosen = new Set([
      keys[this.random.below(keys.length)],
      keys[this.random.below(keys.length)],
    ]);
    return this.#remove([...chosen]);
  }

  #remove(keys: readonly string[]): Step {
    return {
      args: ["DEL", ...keys],
      apply: (entries) => keys.forEach((key) => entries.delete(key)),
      check: (reply, before) => assert.equal(reply, keys.filter((key) => before.has(key)).length),
    };
  }

  #expire(planned: Entries, roll: number): Step {
    const keys = [...planned.keys()];
    if (keys.length === 0) return this.#set();
    const key = keys[this.random.below(keys.length)];
    const until = (args: string[], earliestMs: number, latestMs: number): Step => ({
      args,
      apply: (entries) => {
        const entry = entries.get(key);
        if (entry !== undefined) entries.set(key, { ...entry, earliestMs, latestMs });
      },
      check: (reply, before) => {
        const entry = before.get(key);
        if (args[0] !== "PERSIST") assert.equal(reply, entry === undefined ? 0 : 1);
        else assert.equal(reply, entry === undefined || entry.earliestMs === 0 ? 0 : 1);
      },
    });
    if (roll < 82) {
      const atMs = this.#moment();
      return until(["PEXPIREAT", key, String(atMs)], atMs, atMs);
    }
    if (roll < 90) {
      const seconds = 3600 + this.random.below(100_000), nowMs = Date.now();
      const earliestMs = nowMs + seconds * 1000 - CLOCK_SLACK_MS;
      return until(["EXPIRE", key, String(seconds)], earliestMs, earliestMs + 60_000);
    }
    if (roll < 93) return until(["PERSIST", key], 0, 0);
    // A moment that is over: the key goes, and whatever is made of it later has nothing of it.
    return {
      args: ["PEXPIREAT", key, "1"],
      apply: (entries) => void entries.delete(key),
      check: (reply, before) => assert.equal(reply, before.has(key) ? 1 : 0),
    };
  }

  #rename(planned: Entries): Step {
    const keys = [...planned.keys()];
    if (keys.length === 0) return this.#set();
    const from = keys[this.random.below(keys.length)], to = this.#key("moved", 2);
    return {
      args: ["RENAME", from, to],
      apply: (entries) => {
        const entry = entries.get(from);
        if (entry === undefined || from === to) return;
        entries.delete(from);
        entries.set(to, entry);
      },
      check: (reply) => assert.equal(reply, "+OK"),
    };
  }

  #moment(): number {
    return Date.now() + EXPIRY_MS_MIN + this.random.below(SPAN_MS);
  }
}

type Fields = Map<string, { value: string; atMs: number }>;

/** A hash stands among the entries as a text: its fields in order, each with its value and its moment. */
function textOf(fields: Fields): string {
  return JSON.stringify([...fields].sort(([a], [b]) => a < b ? -1 : 1));
}

function fieldsOf(entries: Entries, key: string): Fields {
  return new Map(JSON.parse(entries.get(key)?.value ?? "[]"));
}

function removeFields(entries: Entries, key: string, names: readonly string[]): void {
  const fields = fieldsOf(entries, key);
  for (const name of names) fields.delete(name);
  if (fields.size === 0) entries.delete(key);
  else change(entries, key, textOf(fields));
}

/** What the server has of a hash, as the same text. */
async function readFields(client: RespClient, key: string): Promise<string> {
  const flat = plain(await client.command("HGETALL", key)) as string[], fields: Fields = new Map();
  for (let i = 0; i < flat.length; i += 2) fields.set(flat[i], { value: flat[i + 1], atMs: 0 });
  const names = [...fields.keys()], count = String(names.length);
  const moments = plain(await client.command("HPEXPIRETIME", key, "FIELDS", count, ...names));
  names.forEach((name, i) => {
    fields.get(name)!.atMs = Math.max(0, (moments as number[])[i]);
  });
  return textOf(fields);
}

/** A new value with the old one's expiry. */
function change(entries: Entries, key: string, value: string): void {
  const { earliestMs, latestMs } = entries.get(key) ?? { earliestMs: 0, latestMs: 0 };
  entries.set(key, { value, earliestMs, latestMs });
}

/** How what was seen differs from what should be, a line per key. */
function differences(expected: Entries, seen: Entries): string[] {
  const lines: string[] = [];
  for (const key of new Set([...expected.keys(), ...seen.keys()])) {
    const should = expected.get(key), is = seen.get(key);
    if (should === undefined || is === undefined) {
      if (should !== is) lines.push(`${key}: ${shown(is)} instead of ${shown(should)}`);
    } else if (
      should.value !== is.value || is.earliestMs < should.earliestMs ||
      is.earliestMs > should.latestMs
    ) lines.push(`${key}: ${shown(is)} instead of ${shown(should)}`);
  }
  return lines;
}

function shown(entry: Entry | undefined): string {
  if (entry === undefined) return "nothing";
  const { value, earliestMs, latestMs } = entry;
  const text = value.length <= 60 ? value : `${value.slice(0, 30)}...${value.slice(-20)}`;
  return `"${text}" (${value.length}) until ${earliestMs}${
    latestMs === earliestMs ? "" : ` to ${latestMs}`
  }`;
}
