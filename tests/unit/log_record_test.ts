// Effects as MessagePack: what is written is read back, any library reads it, and what is broken is refused.
import { decodeMulti, ExtData } from "@msgpack/msgpack";
import fc from "fast-check";
import assert from "node:assert/strict";
import { FRAME_HEADER_BYTES, isFrameWhole, readFrameHeader } from "../../src/log/frame.ts";
import { EffectReader } from "../../src/log/effect_reader.ts";
import { EffectWriter } from "../../src/log/effect_writer.ts";
import { FILE_HEADER_BYTES } from "../../src/log/segment.ts";
import { ByteDisk } from "../support/byte_disk.ts";
import {
  type Effect,
  effectOf,
  type Field,
  field,
  LogMaker,
  put,
  writeEffect,
} from "../support/log_maker.ts";

const FIELDS: readonly Field[] = [
  field("a", "1"),
  field("", new Uint8Array(256).fill(255), 1_790_000_000_000),
  field("é".repeat(200), ""),
  field("\u0000", "v".repeat(15_000), 2 ** 53 - 1),
];

function manyFields(count: number): Field[] {
  return Array.from({ length: count }, (_, i) => field(`f${i}`, `${i * i}`, i % 3 * 1e12));
}

/** Every kind, and lengths on both sides of each change of a `bin`'s head. */
const EFFECTS: readonly Effect[] = [
  put("", ""),
  put("k", "v", 1),
  put("é", new Uint8Array(255).fill(255), 2 ** 53 - 1, 15),
  put("k".repeat(256), "v".repeat(256), 2 ** 32, 7),
  put("k".repeat(300), new Uint8Array(65_535).fill(7)),
  put("large", new Uint8Array(65_536).fill(0xc0)),
  { kind: "remove", database: 9, key: "gone" },
  { kind: "expire", database: 0, key: "k", expiresAtMs: 1_790_000_000_000 },
  { kind: "expire", database: 0, key: "k", expiresAtMs: 0 },
  { kind: "flush", database: -1 },
  { kind: "flush", database: 15 },
  { kind: "databases", table: Uint8Array.from({ length: 16 }, (_, i) => i ^ 1) },
  { kind: "range", database: 2, key: "bits", offset: 0, value: Uint8Array.of(255) },
  { kind: "range", database: 0, key: "far", offset: 2 ** 29 - 300, value: new Uint8Array(300) },
  { kind: "putHash", database: 4, key: "h", expiresAtMs: 0, fields: [field("", "")] },
  { kind: "putHash", database: 0, key: "hash", expiresAtMs: 2 ** 41, fields: FIELDS },
  { kind: "setFields", database: 15, key: "h", fields: FIELDS.slice(0, 5) },
  { kind: "setFields", database: 0, key: "h", fields: manyFields(6) },
  { kind: "removeFields", database: 0, key: "h", names: ["", "é", "n".repeat(300)] },
  { kind: "removeFields", database: 0, key: "h", names: manyFields(16).map(({ name }) => name) },
  {
    kind: "expireFields",
    database: 1,
    key: "h",
    fields: [{ name: "a", expiresAtMs: 0 }, { name: "b", expiresAtMs: 2 ** 42 + 1 }],
  },
  { kind: "mergeFields", database: 0, key: "h", expiresAtMs: 1, fields: FIELDS },
];

/** On both sides of the last change of an array's head, and a hash that takes many. */
const LONG_EFFECTS: readonly Effect[] = [
  { kind: "setFields", database: 0, key: "h", fields: manyFields(21_845) },
  { kind: "setFields", database: 0, key: "h", fields: manyFields(21_846) },
  { kind: "putHash", database: 0, key: "many", expiresAtMs: 0, fields: manyFields(30_000) },
];

/** As the library gives the effect's array. */
function asArray(effect: Effect): unknown[] {
  const bytes = (text: string) => new TextEncoder().encode(text);
  switch (effect.kind) {
    case "put":
      return [1, effect.database, bytes(effect.key), 1, effect.expiresAtMs, effect.value];
    case "remove":
      return [2, effect.database, bytes(effect.key)];
    case "expire":
      return [3, effect.database, bytes(effect.key), effect.expiresAtMs];
    case "flush":
      return [4, effect.database];
    case "databases":
      return [5, effect.table];
    case "range":
      return [6, effect.database, bytes(effect.key), effect.offset, effect.value];
    case "putHash": {
      const { database, key, expiresAtMs, fields } = effect;
      return [1, database, bytes(key), 2, expiresAtMs, fields.flatMap(asItems)];
    }
    case "setFields":
      return [16, effect.database, bytes(effect.key), effect.fields.flatMap(asItems)];
    case "removeFields":
      return [17, effect.database, bytes(effect.key), effect.names.map(bytes)];
    case "expireFields": {
      const { database, key, fields } = effect;
      return [18, database, bytes(key), fields.flatMap((each) => asItems(each).slice(0, 2))];
    }
    case "mergeFields": {
      const { database, key, expiresAtMs, fields } = effect;
      return [19, database, bytes(key), expiresAtMs, fields.flatMap(asItems)];
    }
  }
}

function asItems(each: { name: string; expiresAtMs: number; value?: Uint8Array }): unknown[] {
  return [new TextEncoder().encode(each.name), each.expiresAtMs, each.value];
}

/** What the library gives, with a hash's value decoded too. */
function decodedWhole(effect: unknown[]): unknown[] {
  if (effect[0] !== 1 || effect[3] !== 2) return effect;
  return [...effect.slice(0, 5), [...decodeMulti(effect[5] as Uint8Array)]];
}

function readBack(bytes: Uint8Array): Effect[] {
  const reader = new EffectReader(bytes), found: Effect[] = [];
  for (let at = 0; at < bytes.length;) {
    at = reader.next(at, bytes.length);
    assert.ok(at > 0, reader.error);
    found.push(effectOf(reader, bytes));
  }
  return found;
}

function written(effects: readonly Effect[]): Uint8Array {
  const writer = new EffectWriter(16);
  for (const effect of effects) writeEffect(writer, effect);
  return writer.bytes.slice(0, writer.length);
}

Deno.test("EffectReader gives back what EffectWriter wrote, of every kind and length", () => {
  assert.deepEqual(readBack(written(EFFECTS)), EFFECTS);
  const bytes = written(LONG_EFFECTS);
  assert.deepEqual(readBack(bytes), LONG_EFFECTS);
  const decoded = [...decodeMulti(bytes)] as unknown[][];
  assert.deepEqual(decoded.map(decodedWhole), LONG_EFFECTS.map(asArray));
});

Deno.test("EffectReader gives back any hash that EffectWriter wrote", () => {
  const moments = fc.oneof(fc.constant(0), fc.nat({ max: 2 ** 53 - 1 }));
  const fields = fc.array(
    fc.record({
      name: fc.string({ unit: "binary", maxLength: 300 }),
      expiresAtMs: moments,
      value: fc.uint8Array({ maxLength: 300 }),
    }, { noNullPrototype: true }),
    { minLength: 1, maxLength: 40 },
  );
  const kinds = fc.constantFrom("putHash", "mergeFields", "setFields");
  fc.assert(
    fc.property(
      kinds,
      fc.nat(15),
      fc.string(),
      moments,
      fields,
      (kind, database, key, at, told) => {
        const effect: Effect = kind === "setFields"
          ? { kind, database, key, fields: told }
          : { kind: kind as "putHash", database, key, expiresAtMs: at, fields: told };
        const bytes = written([effect]);
        assert.deepEqual(readBack(bytes), [effect]);
        const [decoded] = [...decodeMulti(bytes)] as unknown[][];
        assert.deepEqual(decodedWhole(decoded), asArray(effect));
      },
    ),
  );
});

Deno.test("EffectReader refuses fields that are none, too many or too few", () => {
  const whole = written([{ kind: "setFields", database: 0, key: "", fields: [field("a", "b")] }]);
  const list = whole.length - 8;
  assert.equal(whole[list], 0x93);
  for (const items of [0, 1, 2, 4, 6]) {
    const bytes = whole.slice();
    bytes[list] = 0x90 + items;
    const reader = new EffectReader(bytes);
    assert.equal(reader.next(0, bytes.length), -1, `${items} items`);
    assert.equal(reader.error, "effect of kind 16 is not well formed");
  }
  const hash = written([{
    kind: "putHash",
    database: 0,
    key: "",
    expiresAtMs: 0,
    fields: [field("a", "b")],
  }]);
  // Without fields, and with a value that goes on behind its fields.
  for (const count of [0, 6, 8]) {
    const bytes = new Uint8Array(hash.length + 1);
    bytes.set(hash);
    new DataView(bytes.buffer).setUint32(hash.length - 11, count);
    assert.equal(new EffectReader(bytes).next(0, bytes.length), -1, `${count} bytes`);
  }
});

Deno.test("EffectReader refuses an effect that ends early, at every length", () => {
  for (const effect of EFFECTS) {
    const bytes = written([effect]), reader = new EffectReader(bytes);
    // All lengths of the head and the key, then some of a long value.
    for (let end = 0; end < bytes.length; end += end < 320 ? 1 : 9973) {
      assert.equal(
        reader.next(0, end),
        -1,
        `${effect.kind} of ${bytes.length} bytes cut to ${end}`,
      );
      assert.notEqual(reader.error, "");
    }
  }
});

Deno.test("EffectReader stays within its bounds whatever byte of an effect is changed", () => {
  for (const effect of EFFECTS) {
    const whole = written([effect]), count = Math.min(whole.length, 700);
    for (let at = 0; at < count; at++) {
      for (const flip of [1, 4, 0x10, 0x80, 0xff]) {
        const bytes = whole.slice();
        bytes[at] ^= flip;
        const reader = new EffectReader(bytes), next = reader.next(0, bytes.length);
        if (next < 0) assert.notEqual(reader.error, "");
        else assert.ok(next <= bytes.length && reader.valueEnd <= bytes.length);
      }
    }
  }
});

Deno.test("EffectReader names an effect's unknown kind", () => {
  const bytes = Uint8Array.of(0x92, 20, 0), reader = new EffectReader(bytes);
  assert.equal(reader.next(0, 3), -1);
  assert.equal(reader.error, "effect of unknown kind 20");
});

Deno.test("@msgpack/msgpack reads a log's payloads: group heads, effects, nils", () => {
  const disk = new ByteDisk(), log = new LogMaker(disk), groups: Effect[][] = [];
  for (let i = 0; i < EFFECTS.length; i++) {
    // Groups of one to three effects, so that every padding occurs.
    groups.push(EFFECTS.slice(i, i + 1 + i % 3));
    groups.push([put("p".repeat(i + 1), "v")]);
  }
  for (const [i, group] of groups.entries()) {
    log.group(...group);
    if (i % 4 === 3) log.write();
  }
  log.sync();
  const [name] = disk.list(), bytes = disk.bytesOf(name), view = new DataView(bytes.buffer);
  const found: unknown[][][] = [];
  let frames = 0;
  for (let at = FILE_HEADER_BYTES; at < bytes.length; frames++) {
    const header = readFrameHeader(view, at)!;
    assert.ok(isFrameWhole(bytes, at, header));
    const start = at + FRAME_HEADER_BYTES;
    at = start + header.payloadBytes;
    for (const each of decodeMulti(bytes.subarray(start, at), { useBigInt64: false })) {
      if (each instanceof ExtData) {
        assert.equal(each.type, 0x47);
        found.push([]);
      } else if (each !== null) found.at(-1)!.push(decodedWhole(each as unknown[]));
    }
  }
  assert.ok(frames > 3);
  assert.deepEqual(found, groups.map((group) => group.map(asArray)));
});
