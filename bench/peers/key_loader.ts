// Fills a server with keys, deletes them and checks what it holds, pipelined over one connection;
// measures nothing.
import { openSocket, readReplies, writeAll } from "./load_connection.ts";
import { ReplyScanner } from "../../src/cli/reply_scanner.ts";
import { keyPicker, keyText, type Protocol, RequestWriter, valueText } from "./requests.ts";

// Replies of a batch are a few kilobytes: they fit the socket's buffers, so writing first and
// reading after is safe.
const BATCH_REQUESTS = 500;
const READ_BYTES = 64 * 1024;
const SAMPLE_KEYS = 1000;

export interface KeyRange {
  readonly first: number;
  readonly count: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  /** When all of them expire, in ms since 1970; absent: never. */
  readonly expiresAtMs?: number;
  /** Leaves out the keys for which it says false. */
  readonly only?: (index: number) => boolean;
}

interface Target {
  readonly port: number;
  readonly protocol: Protocol;
}

/** Stores `valueText` under every key of the range. Throws when any reply is an error. */
export async function loadKeys(target: Target, range: KeyRange): Promise<void> {
  await pipelined(
    target,
    range,
    (writer, buffer, at, index) => writer.writeSetOwnValue(buffer, at, index),
  );
}

/** Deletes every key of the range. Throws when any reply is an error. */
export async function deleteKeys(target: Target, range: KeyRange): Promise<void> {
  await pipelined(
    target,
    range,
    (writer, buffer, at, index) => writer.writeDelete(buffer, at, index),
  );
}

async function pipelined(
  target: Target,
  range: KeyRange,
  write: (writer: RequestWriter, buffer: Uint8Array, at: number, index: number) => number,
): Promise<void> {
  const socket = await openSocket(target.port);
  const scanner = new ReplyScanner(target.protocol, -1);
  const connection = { socket, scanner, readBuffer: new Uint8Array(READ_BYTES) };
  const { keyBytes, valueBytes, expiresAtMs = 0 } = range;
  const writer = new RequestWriter(target.protocol, keyBytes, valueBytes, expiresAtMs);
  const buffer = new Uint8Array(writer.requestBytesMax * BATCH_REQUESTS);
  try {
    const end = range.first + range.count;
    for (let index = range.first; index < end;) {
      let at = 0;
      let requests = 0;
      for (; index < end && requests < BATCH_REQUESTS; index++) {
        if (range.only !== undefined && !range.only(index)) continue;
        at = write(writer, buffer, at, index);
        requests++;
      }
      await writeAll(socket, buffer.subarray(0, at));
      await readReplies(connection, requests);
      if (scanner.errors > 0) throw new Error(`loading keys got "${scanner.firstError}"`);
    }
  } finally {
    socket.close();
  }
}

/** What a sample of a server's keys showed. */
export interface KeyCheck {
  readonly missPercent: number;
  /** Values of another length or, where asked for, other content. */
  readonly wrong: number;
}

/**
 * Reads a random sample of the range's keys one by one. `content` says whether the values must be
 * the loader's own; after redis-benchmark has written its own, only their length can be checked.
 */
export async function checkKeys(
  target: Target,
  range: KeyRange,
  content: "own" | "any",
): Promise<KeyCheck> {
  const socket = await openSocket(target.port);
  const writer = new RequestWriter(target.protocol, range.keyBytes, range.valueBytes);
  const request = new Uint8Array(writer.requestBytesMax);
  const reply = new Uint8Array(range.valueBytes + 256);
  const decoder = new TextDecoder();
  const pick = keyPicker(12345, range.count);
  let asked = 0, missed = 0, wrong = 0;
  try {
    for (let i = 0; i < SAMPLE_KEYS; i++) {
      const index = range.first + pick();
      if (range.only !== undefined && !range.only(index)) continue;
      await writeAll(socket, request.subarray(0, writer.writeGet(request, 0, index)));
      const scanner = new ReplyScanner(target.protocol, range.valueBytes);
      let bytes = 0;
      for (let replies = 0; replies === 0;) {
        const read = bytes < reply.length ? await socket.read(reply.subarray(bytes)) : null;
        if (read === null) {
          throw new Error(`reading ${keyText(index)} got ${bytes} bytes and no end`);
        }
        replies = scanner.feed(reply.subarray(bytes, bytes + read));
        bytes += read;
      }
      asked++;
      if (scanner.values === 0) missed++;
      else if (scanner.wrongLengths > 0) wrong++;
      else if (content === "own") {
        const expected = `\n${valueText(index, range.valueBytes)}\r\n`;
        if (!decoder.decode(reply.subarray(0, bytes)).includes(expected)) wrong++;
      }
      if (scanner.errors > 0) {
        throw new Error(`reading ${keyText(index)} got "${scanner.firstError}"`);
      }
    }
  } finally {
    socket.close();
  }
  return { missPercent: asked === 0 ? 0 : missed / asked * 100, wrong };
}
