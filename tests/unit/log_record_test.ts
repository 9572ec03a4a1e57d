// Effects as MessagePack: what is written is read back, any library reads it, and what is broken is refused.
import { decodeMulti, ExtData } from "@msgpack/msgpack";
import assert from "node:assert/strict";
import { FRAME_HEADER_BYTES, isFrameWhole, readFrameHeader } from "../../src/log/frame.ts";
import { EffectReader, EffectWriter } from "../../src/log/record.ts";
import { FILE_HEADER_BYTES } from "../../src/log/segment.ts";
import { ByteDisk } from "../support/byte_disk.ts";
import { type Effect, effectOf, LogMaker, put, writeEffect } from "../support/log_maker.ts";

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
  }
}

function written(effects: readonly Effect[]): Uint8Array {
  const writer = new EffectWriter(16);
  for (const effect of effects) writeEffect(writer, effect);
  return writer.bytes.slice(0, writer.length);
}

Deno.test("EffectReader gives back what EffectWriter wrote, of every kind and length", () => {
  const bytes = written(EFFECTS), reader = new EffectReader(bytes), found: Effect[] = [];
  for (let at = 0; at < bytes.length;) {
    at = reader.next(at, bytes.length);
    assert.ok(at > 0, reader.error);
    found.push(effectOf(reader, bytes));
  }
  assert.deepEqual(found, EFFECTS);
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
  const bytes = Uint8Array.of(0x92, 16, 0), reader = new EffectReader(bytes);
  assert.equal(reader.next(0, 3), -1);
  assert.equal(reader.error, "effect of unknown kind 16");
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
      } else if (each !== null) found.at(-1)!.push(each as unknown[]);
    }
  }
  assert.ok(frames > 3);
  assert.deepEqual(found, groups.map((group) => group.map(asArray)));
});
