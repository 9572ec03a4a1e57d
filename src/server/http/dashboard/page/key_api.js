// What the browser of keys asks of /v1: one function for each request; knows no element of the page.

/** Keys that one look shows, at most. */
const FOUND_MAX = 100;
/** Keys that the server walks over for one request, and requests for one look: 100,000 keys in all. */
const COUNT_PER_REQUEST = 500;
const REQUESTS_PER_LOOK = 200;
/** A longer value is shown in part and not edited: nobody reads it in a field of a page. */
const EDIT_BYTES_MAX = 262_144;
const PREVIEW_BYTES = 2048;
/** Fields of a hash that are shown. */
const FIELDS_MAX = 100;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** An answer that is no success; the message is for people. */
export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Keys are strings, or `{base64}` where their bytes are no UTF-8. */
export class KeyApi {
  #password;
  /** Number of the database that all of it is about. */
  database = 0;

  /** `password()` gives the password, null for none. */
  constructor(password) {
    this.#password = password;
  }

  /**
   * Looks for keys from a cursor on ("0" at first). Gives `{keys, cursor, walked}`: go on with the cursor until it
   * is "0". A text without `*`, `?` or `[` is looked for anywhere in a key.
   */
  async find(text, cursor) {
    const isPattern = /[*?[]/.test(text);
    const match = isPattern ? text : text === "" ? "*" : `*${text.replaceAll("\\", "\\\\")}*`;
    const found = new Map();
    // The very key first: a walk might come to it late.
    if (cursor === "0" && !isPattern && text !== "") {
      const [{ result }] = await this.commands([["EXISTS", text]]);
      if (result === 1) found.set(JSON.stringify(text), text);
    }
    let next = cursor, requests = 0;
    do {
      const query = new URLSearchParams({
        match,
        cursor: next,
        count: COUNT_PER_REQUEST,
        db: this.database,
      });
      const page = await (await this.#fetch(`/v1/keys?${query}`)).json();
      for (const key of page.keys) found.set(JSON.stringify(key), key);
      next = page.cursor;
      requests++;
    } while (next !== "0" && found.size < FOUND_MAX && requests < REQUESTS_PER_LOOK);
    return { keys: [...found.values()], cursor: next };
  }

  /**
   * What a key holds: `{type, encoding, lengthBytes, memoryBytes, pttlMs, text, tag, preview, fieldCount, fields}`, null for
   * no such key. `text` and `tag` are there if it can be edited; else `preview`, the first bytes, of a string; of a hash
   * some `fields`, each `{name, value, pttlMs}`.
   */
  async read(key) {
    const [type, pttl, encoding, memory, length] = await this.commands([
      ["TYPE", key],
      ["PTTL", key],
      ["OBJECT", "ENCODING", key],
      ["MEMORY", "USAGE", key],
      ["STRLEN", key],
    ]);
    if (type.result === "none") return null;
    const told = {
      type: type.result,
      pttlMs: Number(pttl.result),
      encoding: encoding.result ?? "",
      memoryBytes: memory.result ?? 0,
      lengthBytes: length.result ?? null,
      text: null,
      tag: null,
      preview: null,
      fieldCount: null,
      fields: null,
    };
    if (type.result === "hash") return { ...told, ...await this.#readHash(key) };
    if (type.result !== "string") return told;
    if (told.lengthBytes <= EDIT_BYTES_MAX) {
      const response = await this.#fetch(`${this.#path(key)}?db=${this.database}`);
      const bytes = new Uint8Array(await response.arrayBuffer());
      told.lengthBytes = bytes.length;
      try {
        return { ...told, text: decoder.decode(bytes), tag: response.headers.get("etag") };
      } catch {
        return { ...told, preview: bytes.subarray(0, PREVIEW_BYTES) };
      }
    }
    const [part] = await this.commands([["GETRANGE", key, 0, PREVIEW_BYTES - 1]]);
    return { ...told, preview: bytesOf(part.result) };
  }

  async #readHash(key) {
    const [count] = await this.commands([["HLEN", key]]);
    const fields = await this.#firstFields(key);
    if (fields.length > 0) {
      const names = fields.map(({ name }) => name);
      const [ends] = await this.commands([["HPTTL", key, "FIELDS", names.length, ...names]]);
      ends.result?.forEach((pttlMs, i) => fields[i].pttlMs = Number(pttlMs));
    }
    return { fieldCount: count.result ?? 0, fields };
  }

  /** FIELDS_MAX of them, or all: a step of a scan may give fewer than it was asked for, and one field twice. */
  async #firstFields(key) {
    const found = new Map();
    let cursor = "0";
    do {
      const [step] = await this.commands([["HSCAN", key, cursor, "COUNT", FIELDS_MAX]]);
      if (step.result === undefined) break;
      const flat = step.result[1];
      cursor = step.result[0];
      for (let i = 0; i < flat.length && found.size < FIELDS_MAX; i += 2) {
        found.set(JSON.stringify(flat[i]), { name: flat[i], value: flat[i + 1], pttlMs: -1 });
      }
    } while (cursor !== "0" && found.size < FIELDS_MAX);
    return [...found.values()];
  }

  /** Stores a text if the value is still the one with that tag; keeps the end of life. Gives the new tag. */
  async write(key, text, tag) {
    const response = await this.#fetch(`${this.#path(key)}?keepttl&db=${this.database}`, {
      method: "PUT",
      body: encoder.encode(text),
      headers: { "if-match": tag },
    });
    return response.headers.get("etag");
  }

  /** Ends the key's life in so many seconds; null: never. False if the key is gone. */
  async expire(key, seconds) {
    const command = seconds === null ? ["PERSIST", key] : ["EXPIRE", key, seconds];
    const [{ result, error }, exists] = await this.commands([command, ["EXISTS", key]]);
    if (error !== undefined) throw new ApiError(error, 400);
    return result === 1 || exists.result === 1;
  }

  /** False if it was gone already. */
  async remove(key) {
    try {
      await this.#fetch(`${this.#path(key)}?db=${this.database}`, { method: "DELETE" });
      return true;
    } catch (error) {
      if (error.status === 404) return false;
      throw error;
    }
  }

  /** A result or an error for each command, which run in the database. */
  async commands(commands) {
    const response = await this.#fetch("/v1/command", {
      method: "POST",
      body: JSON.stringify([["SELECT", this.database], ...commands]),
      headers: { "content-type": "application/json" },
    });
    return (await response.json()).slice(1);
  }

  #path(key) {
    const text = typeof key === "string"
      ? encodeURIComponent(key)
      : Array.from(bytesOf(key), (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
    // A browser would take these for steps in the path.
    return `/v1/keys/${text === "." || text === ".." ? text.replaceAll(".", "%2e") : text}`;
  }

  async #fetch(path, init = {}) {
    const password = this.#password();
    const headers = { ...init.headers };
    if (password !== null) headers.authorization = `Bearer ${headerText(password)}`;
    let response;
    try {
      // Without credentials a browser does not ask for a password by itself.
      response = await fetch(path, { ...init, headers, credentials: "omit", cache: "no-store" });
    } catch {
      throw new ApiError("The server does not answer.", 0);
    }
    if (response.ok) return response;
    const problem = await response.json().catch(() => ({}));
    throw new ApiError(problem.detail ?? `The server answers ${response.status}.`, response.status);
  }
}

/** The bytes of a string, or of `{base64}`. */
export function bytesOf(value) {
  if (typeof value === "string") return encoder.encode(value);
  return Uint8Array.from(atob(value.base64), (char) => char.charCodeAt(0));
}

/** A key as text; bytes that are no UTF-8 as base64, and told so. */
export function keyText(key) {
  return typeof key === "string" ? key === "" ? "(empty)" : key : `base64:${key.base64}`;
}

/** UTF-8 as a header carries it, a character for each byte. */
function headerText(text) {
  return String.fromCharCode(...encoder.encode(text));
}
