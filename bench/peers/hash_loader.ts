// Fills a server with hashes of one shape over one connection, and checks a sample of them; measures nothing.
import { ReplyScanner } from "../../src/cli/reply_scanner.ts";
import { type LoadConnection, openSocket, readReplies, writeAll } from "./load_connection.ts";

// Replies of a batch are a few hundred bytes: they fit the socket's buffers, so writing first and reading after is safe.
const BATCH_HASHES = 100;
const READ_BYTES = 64 * 1024;
const SAMPLE_HASHES = 100;
const NUMBER_DIGITS = 12;
const FIELD_DIGITS = 4;

/** Hashes `<name>:<number>` with as many fields of 8 bytes, each with a value of 8 bytes. */
export interface HashShape {
  readonly name: string;
  readonly count: number;
  readonly fields: number;
}

/** The key of hash number `index`, as redis-benchmark writes numbers. */
export function hashKey({ name }: HashShape, index: number): string {
  return `${name}:${String(index).padStart(NUMBER_DIGITS, "0")}`;
}

/** The name of field number `index`: 8 bytes. */
export function fieldName(index: number): string {
  return `feat${String(index).padStart(FIELD_DIGITS, "0")}`;
}

/** The value of a field: 8 bytes that are no integer, which Redis would pack tighter. */
export function fieldValue(hash: number, field: number): string {
  return `v${String((hash * 31 + field) % 1e6).padStart(7, "0")}`;
}

/** One request, in RESP. */
export function request(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
}

/** Writes every hash, field by field in order. Throws when any reply is an error. */
export async function loadHashes(port: number, shape: HashShape): Promise<void> {
  const scanner = new ReplyScanner("resp", -1);
  const socket = await openSocket(port);
  const connection: LoadConnection = { socket, scanner, readBuffer: new Uint8Array(READ_BYTES) };
  try {
    for (let from = 0; from < shape.count; from += BATCH_HASHES) {
      const to = Math.min(shape.count, from + BATCH_HASHES);
      let text = "";
      for (let index = from; index < to; index++) text += request(writing(shape, index));
      await writeAll(socket, encoder.encode(text));
      await readReplies(connection, to - from);
      if (scanner.errors > 0) throw new Error(`loading hashes got "${scanner.firstError}"`);
    }
  } finally {
    socket.close();
  }
}

/** Throws unless a sample of the hashes has all fields, each with a value of 8 bytes. */
export async function requireHashes(port: number, shape: HashShape): Promise<void> {
  const socket = await openSocket(port);
  const names = Array.from({ length: shape.fields }, (_, field) => fieldName(field));
  try {
    for (let i = 0; i < SAMPLE_HASHES; i++) {
      const index = Math.floor(shape.count / SAMPLE_HASHES * i);
      const scanner = new ReplyScanner("resp", 8);
      const connection: LoadConnection = {
        socket,
        scanner,
        readBuffer: new Uint8Array(READ_BYTES),
      };
      await writeAll(socket, encoder.encode(request(["HMGET", hashKey(shape, index), ...names])));
      await readReplies(connection, 1);
      const { values, misses, errors, wrongLengths } = scanner;
      if (values !== shape.fields || misses + errors + wrongLengths > 0) {
        throw new Error(
          `${
            hashKey(shape, index)
          } has ${values} of ${shape.fields} fields, ${wrongLengths} of them wrong`,
        );
      }
    }
  } finally {
    socket.close();
  }
}

function writing(shape: HashShape, index: number): string[] {
  const words = ["HSET", hashKey(shape, index)];
  for (let field = 0; field < shape.fields; field++) {
    words.push(fieldName(field), fieldValue(index, field));
  }
  return words;
}

const encoder = new TextEncoder();
