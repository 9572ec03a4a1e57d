// Writes the requests that the load generator and the loader send, in RESP and in memcached's text
// protocol; knows no sockets.

import type { Protocol } from "../../src/cli/reply_scanner.ts";

export type { Protocol };

const encoder = new TextEncoder();
const CR = 13, LF = 10, ZERO = 48;
// redis-benchmark's keys: `key:` and twelve digits, sixteen bytes.
export const KEY_BYTES = 16;
const KEY_PREFIX_BYTES = 4;

/** Key number `index` as redis-benchmark writes it, padded with zeros to `keyBytes`. */
export function keyText(index: number, keyBytes = KEY_BYTES): string {
  return `key:${String(index).padStart(keyBytes - KEY_PREFIX_BYTES, "0")}`;
}

/**
 * The value that the loader stores under key number `index`: recognisable, and different from key
 * to key.
 */
export function valueText(index: number, valueBytes: number): string {
  return `${index}:`.padEnd(valueBytes, String.fromCharCode(97 + index % 26)).slice(0, valueBytes);
}

/**
 * Requests for keys and values of one size, from templates in which only the key's digits (and the
 * value's first bytes, when asked) change: the generator must cost less than the server it drives.
 */
export class RequestWriter {
  readonly #get: Uint8Array;
  readonly #getKeyAt: number;
  readonly #set: Uint8Array;
  readonly #setKeyAt: number;
  readonly #setValueAt: number;
  readonly #delete: Uint8Array;
  readonly #deleteKeyAt: number;
  readonly #keyBytes: number;
  readonly #valueBytes: number;

  /** SETs are of keys that expire at `expiresAtMs`, in ms since 1970 (whole seconds in memcached's); 0: never. */
  constructor(protocol: Protocol, keyBytes: number, valueBytes: number, expiresAtMs = 0) {
    const key = keyText(0, keyBytes);
    const value = "x".repeat(valueBytes);
    const resp = protocol === "resp";
    const get = resp ? `*2\r\n$3\r\nGET\r\n$${keyBytes}\r\n${key}\r\n` : `get ${key}\r\n`;
    const set = resp
      ? `*${expiresAtMs === 0 ? 3 : 5}\r\n$3\r\nSET\r\n$${keyBytes}\r\n${key}\r\n` +
        `$${valueBytes}\r\n${value}\r\n${respExpiry(expiresAtMs)}`
      : `set ${key} 0 ${Math.ceil(expiresAtMs / 1000)} ${valueBytes}\r\n${value}\r\n`;
    const remove = resp ? `*2\r\n$3\r\nDEL\r\n$${keyBytes}\r\n${key}\r\n` : `delete ${key}\r\n`;
    this.#get = encoder.encode(get);
    this.#getKeyAt = get.indexOf(key);
    this.#set = encoder.encode(set);
    this.#setKeyAt = set.indexOf(key);
    this.#setValueAt = set.indexOf(`\n${value}`, this.#setKeyAt + keyBytes) + 1;
    this.#delete = encoder.encode(remove);
    this.#deleteKeyAt = remove.indexOf(key);
    this.#keyBytes = keyBytes;
    this.#valueBytes = valueBytes;
  }

  /** The most bytes that one GET, SET or DEL takes. */
  get requestBytesMax(): number {
    return Math.max(this.#set.length, this.#get.length, this.#delete.length);
  }

  /** The bytes that each GET takes. */
  get getBytes(): number {
    return this.#get.length;
  }

  /** Writes a GET at `at` and returns where it ends. */
  writeGet(into: Uint8Array, at: number, index: number): number {
    into.set(this.#get, at);
    writeDigits(into, at + this.#getKeyAt + this.#keyBytes, index);
    return at + this.#get.length;
  }

  /** Writes a SET of a constant value at `at` and returns where it ends. */
  writeSet(into: Uint8Array, at: number, index: number): number {
    into.set(this.#set, at);
    writeDigits(into, at + this.#setKeyAt + this.#keyBytes, index);
    return at + this.#set.length;
  }

  /** Writes a SET of `valueText(index)` at `at` and returns where it ends; slower, for loading. */
  writeSetOwnValue(into: Uint8Array, at: number, index: number): number {
    const end = this.writeSet(into, at, index);
    const from = at + this.#setValueAt;
    encoder.encodeInto(
      valueText(index, this.#valueBytes),
      into.subarray(from, from + this.#valueBytes),
    );
    return end;
  }

  /** Writes a DEL at `at` and returns where it ends. */
  writeDelete(into: Uint8Array, at: number, index: number): number {
    into.set(this.#delete, at);
    writeDigits(into, at + this.#deleteKeyAt + this.#keyBytes, index);
    return at + this.#delete.length;
  }
}

function respExpiry(expiresAtMs: number): string {
  if (expiresAtMs === 0) return "";
  const text = String(expiresAtMs);
  return `$4\r\nPXAT\r\n$${text.length}\r\n${text}\r\n`;
}

/** One request for many keys at once: RESP's MGET, memcached's get with several keys. */
export class ManyGetWriter {
  readonly #template: Uint8Array;
  readonly #keyEnds: number[] = [];

  constructor(protocol: Protocol, keysPerRequest: number, keyBytes: number) {
    const key = keyText(0, keyBytes);
    let text = protocol === "resp" ? `*${keysPerRequest + 1}\r\n$4\r\nMGET\r\n` : "get";
    for (let i = 0; i < keysPerRequest; i++) {
      text += protocol === "resp" ? `$${keyBytes}\r\n${key}` : ` ${key}`;
      this.#keyEnds.push(text.length);
      if (protocol === "resp") text += "\r\n";
    }
    if (protocol === "memcached") text += "\r\n";
    this.#template = encoder.encode(text);
  }

  get requestBytes(): number {
    return this.#template.length;
  }

  /** Writes the request at `at` with keys drawn by `nextKey`, and returns where it ends. */
  write(into: Uint8Array, at: number, nextKey: () => number): number {
    into.set(this.#template, at);
    for (const end of this.#keyEnds) writeDigits(into, at + end, nextKey());
    return at + this.#template.length;
  }
}

/** The bytes before a large value in a SET of it, and the GET of it. */
export function largeValueRequests(
  protocol: Protocol,
  key: string,
  valueBytes: number,
): { setHead: Uint8Array; setTail: Uint8Array; get: Uint8Array } {
  const resp = protocol === "resp";
  return {
    setHead: encoder.encode(
      resp
        ? `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${valueBytes}\r\n`
        : `set ${key} 0 0 ${valueBytes}\r\n`,
    ),
    setTail: new Uint8Array([CR, LF]),
    get: encoder.encode(
      resp ? `*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n` : `get ${key}\r\n`,
    ),
  };
}

/** A fast generator of key numbers (xorshift32): Math.random is no slower but cannot be seeded. */
export function keyPicker(seed: number, keyCount: number): () => number {
  let state = (seed | 0) === 0 ? 1 : seed | 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % keyCount;
  };
}

// Overwrites the digits that end before `end`; the template's zeros stay to their left.
function writeDigits(into: Uint8Array, end: number, index: number): void {
  for (let rest = index, at = end - 1; rest > 0; at--) {
    const tenth = (rest / 10) | 0;
    into[at] = ZERO + (rest - tenth * 10);
    rest = tenth;
  }
}
