// Tests of the read buffer: small at first, as large as requests need, small again.

import assert from "node:assert/strict";
import {
  READ_BUFFER_BYTES_FULL_MAX,
  READ_BUFFER_BYTES_KEPT_MAX,
  READ_BUFFER_BYTES_LARGE_MAX,
  READ_BUFFER_BYTES_START,
  READ_BUFFER_SMALL_READS,
  READ_BUFFERS_LARGE_BYTES,
} from "../../src/limits.ts";
import { LargeBuffers, ReadBuffer } from "../../src/server/read_buffer.ts";

/** As a read that fills all the space there is. */
function fill(buffer: ReadBuffer): void {
  const space = buffer.space;
  space.fill(65);
  buffer.add(space.length);
}

Deno.test("ReadBuffer grows while reads fill it, up to its full size", () => {
  const buffer = new ReadBuffer(new LargeBuffers());
  assert.equal(buffer.capacity, READ_BUFFER_BYTES_START);
  for (let i = 0; i < 20; i++) {
    fill(buffer);
    buffer.consume(buffer.filled);
    buffer.prepare(0, true);
  }
  assert.equal(buffer.capacity, READ_BUFFER_BYTES_FULL_MAX);
  assert.equal(buffer.space.length, buffer.capacity);
});

Deno.test("ReadBuffer keeps what is there when a request needs more room", () => {
  const buffer = new ReadBuffer(new LargeBuffers());
  buffer.space.set([1, 2, 3]);
  buffer.add(3);
  buffer.prepare(5_000_000, false);
  assert.ok(buffer.capacity >= 5_000_000);
  assert.deepEqual([...buffer.bytes.subarray(0, 3)], [1, 2, 3]);
  assert.equal(buffer.space.byteOffset - buffer.bytes.byteOffset, 3);
  assert.ok(buffer.bytes.length >= buffer.capacity + 8, "words may be loaded past the end");
});

Deno.test("ReadBuffer gives a large buffer back once it is empty, a middling one after small reads", () => {
  const buffer = new ReadBuffer(new LargeBuffers());
  buffer.prepare(5_000_000, false);
  buffer.prepare(0, false);
  assert.equal(buffer.capacity, READ_BUFFER_BYTES_KEPT_MAX);
  for (let i = 0; i < READ_BUFFER_SMALL_READS * 8; i++) {
    buffer.add(10);
    buffer.consume(10);
    buffer.prepare(0, false);
  }
  assert.equal(buffer.capacity, READ_BUFFER_BYTES_START);
});

Deno.test("ReadBuffer keeps a full buffer from one pipeline to the next, until reads are small", () => {
  const large = new LargeBuffers(), buffer = new ReadBuffer(large);
  buffer.prepare(READ_BUFFER_BYTES_FULL_MAX, false);
  const memory = buffer.bytes.buffer;
  for (let i = 0; i < READ_BUFFER_SMALL_READS * 2; i++) {
    buffer.add(50_000);
    buffer.consume(50_000);
    buffer.prepare(0, false);
  }
  assert.equal(buffer.bytes.buffer, memory);
  assert.equal(large.bytes, READ_BUFFER_BYTES_FULL_MAX);
  for (let i = 0; i < READ_BUFFER_SMALL_READS * 8; i++) {
    buffer.add(10);
    buffer.consume(10);
    buffer.prepare(0, false);
  }
  assert.equal(buffer.capacity, READ_BUFFER_BYTES_START);
  assert.equal(large.bytes, 0);
});

Deno.test("ReadBuffers above their common bound give theirs back as soon as they are empty", () => {
  const large = new LargeBuffers();
  const count = Math.ceil(READ_BUFFERS_LARGE_BYTES / READ_BUFFER_BYTES_LARGE_MAX) + 1;
  const buffers = Array.from({ length: count }, () => new ReadBuffer(large));
  for (const buffer of buffers) buffer.prepare(READ_BUFFER_BYTES_LARGE_MAX, false);
  const before = large.bytes;
  assert.ok(before > READ_BUFFERS_LARGE_BYTES);
  buffers[0].prepare(0, false);
  assert.equal(buffers[0].capacity, READ_BUFFER_BYTES_KEPT_MAX);
  buffers[1].prepare(0, false);
  assert.equal(buffers[1].capacity, READ_BUFFER_BYTES_LARGE_MAX);
  for (const buffer of buffers) buffer.release();
  assert.equal(large.bytes, 0);
});

Deno.test("consume() moves what is left to the front", () => {
  const buffer = new ReadBuffer(new LargeBuffers());
  buffer.space.set([1, 2, 3, 4, 5]);
  buffer.add(5);
  buffer.consume(3);
  assert.equal(buffer.filled, 2);
  assert.deepEqual([...buffer.bytes.subarray(0, 2)], [4, 5]);
});
