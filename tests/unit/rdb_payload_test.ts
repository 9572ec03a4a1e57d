// Payloads of DUMP and RESTORE: round trips, Redis's other encodings of hashes, and bytes that are none.
import assert from "node:assert/strict";
import fc from "fast-check";
import { crc64 } from "../../src/crc64.ts";
import type { HashField } from "../../src/rdb_hash.ts";
import {
  hashPayload,
  readPayload,
  stringPayload,
  WRONG_FORMAT,
  WRONG_PAYLOAD,
} from "../../src/rdb_payload.ts";

const FOOTER_BYTES = 10;

const bytes = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
const field = (name: string, value: string, expiresAtMs = 0): HashField => ({
  name: bytes(name),
  value: bytes(value),
  expiresAtMs,
});

/** The body with a version and the right checksum. */
function sealed(body: readonly number[], version = 10): Uint8Array {
  const payload = new Uint8Array(body.length + FOOTER_BYTES);
  payload.set(body);
  const view = new DataView(payload.buffer);
  view.setUint16(body.length, version, true);
  view.setBigUint64(body.length + 2, crc64(payload, 0, body.length + 2), true);
  return payload;
}

/** A string of a payload: its length, below 64, and its bytes. */
const text = (word: string) => [word.length, ...bytes(word)];

Deno.test("readPayload() gives what stringPayload() took", () => {
  fc.assert(fc.property(
    fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.integer().map((number) => bytes(String(number))),
      fc.nat(20_000).map((length) => new Uint8Array(length)),
    ),
    (value) => assert.deepEqual(readPayload(stringPayload(value)), value),
  ));
});

Deno.test("readPayload() gives what hashPayload() took, with fields that end and without", () => {
  const fields = fc.uniqueArray(
    fc.record({
      name: fc.uint8Array({ maxLength: 20 }),
      value: fc.oneof(fc.uint8Array({ maxLength: 100 }), fc.integer().map((n) => bytes(String(n)))),
      expiresAtMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2 ** 46 - 1 })),
    }, { noNullPrototype: true }),
    { minLength: 1, maxLength: 100, selector: ({ name }) => name.join() },
  );
  fc.assert(fc.property(fields, (all) => assert.deepEqual(readPayload(hashPayload(all)), all)));
});

Deno.test("hashPayload() takes the version of Redis 7.0 unless fields end", () => {
  const version = (payload: Uint8Array) => payload[payload.length - FOOTER_BYTES];
  assert.equal(version(hashPayload([field("a", "1")])), 10);
  assert.equal(version(hashPayload([field("a", "1"), field("b", "2", 5)])), 12);
});

Deno.test("readPayload() reads listpacks of fields that end", () => {
  const moment = 1_893_456_000_000, at = new DataView(new ArrayBuffer(8));
  at.setBigInt64(0, BigInt(moment), true);
  const raw = [...new Uint8Array(at.buffer)];
  // a, 1, the moment as 64 bits; b, 2, no end
  const body = [0x81, 97, 2, 1, 1, 0xf4, ...raw, 9, 0x81, 98, 2, 2, 1, 0, 1];
  const total = body.length + 7;
  const payload = sealed([25, ...raw, total, total, 0, 0, 0, 6, 0, ...body, 0xff], 12);
  assert.deepEqual(readPayload(payload), [field("a", "1", moment), field("b", "2")]);
});

Deno.test("readPayload() refuses other versions, other bytes, and what is no value", () => {
  const payload = stringPayload(bytes("abc"));
  assert.equal(readPayload(sealed([0, ...text("abc")], 13)), WRONG_PAYLOAD);
  for (let i = 0; i < payload.length; i++) {
    const changed = payload.slice();
    changed[i] ^= 1;
    assert.equal(readPayload(changed), WRONG_PAYLOAD, `byte ${i}`);
  }
  assert.equal(readPayload(new Uint8Array(5)), WRONG_PAYLOAD);
  const twice = [...text("a"), ...text("1"), ...text("a"), ...text("2")];
  for (
    const body of [[], [0], [1, 1, 97], [4, 0], [4, 2, ...text("a"), ...text("1")], [
      4,
      2,
      ...twice,
    ]]
  ) {
    assert.equal(readPayload(sealed(body)), WRONG_FORMAT, body.join());
  }
});

Deno.test("readPayload() gives a value or a refusal for any bytes under a right checksum", () => {
  const type = fc.constantFrom(0, 4, 16, 24, 25, 1, 255);
  fc.assert(
    fc.property(type, fc.uint8Array({ maxLength: 60 }), (first, rest) => {
      const read = readPayload(sealed([first, ...rest], 12));
      assert.ok(read === WRONG_FORMAT || read instanceof Uint8Array || Array.isArray(read));
    }),
    { numRuns: 3000 },
  );
});
