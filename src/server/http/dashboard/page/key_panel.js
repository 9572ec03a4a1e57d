// One key: what it holds, and forms that change its value, its end of life, or delete it.
import { keyText } from "./key_api.js";
import { bytesText, durationText, wholeText } from "./number_texts.js";

const TICK_MS = 1000;
/** Of the name or the value of a field. */
const SHOWN_CHARACTERS = 200;

export class KeyPanel {
  #root;
  #api;
  #listener;
  #parts;
  #key = null;
  #value = null;
  #endsAtMs = null;

  /** The listener's `onRemoved(key)` is called once the key is gone. */
  constructor(root, api, listener) {
    this.#root = root;
    this.#api = api;
    this.#listener = listener;
    const part = (name) => root.querySelector(`#key-${name}`);
    this.#parts = {
      empty: part("empty"),
      open: part("open"),
      name: part("name"),
      facts: part("facts"),
      text: part("value"),
      preview: part("preview"),
      editor: part("editor"),
      ttl: part("ttl"),
      left: part("left"),
      told: part("told"),
      remove: part("remove"),
      sure: part("sure"),
    };
    this.#on("editor", "submit", () => this.#save());
    this.#on("ttl-form", "submit", () => this.#expire(Number(this.#parts.ttl.value)));
    this.#on("persist", "click", () => this.#expire(null));
    this.#on("reload", "click", () => this.open(this.#key));
    this.#on("remove", "click", () => this.#ask(true));
    this.#on("keep", "click", () => this.#ask(false));
    this.#on("remove-now", "click", () => this.#remove());
    setInterval(() => this.#tellEnd(), TICK_MS);
  }

  /** Reads a key and shows it; until then nothing of another one, whose forms would change this one. */
  async open(key) {
    if (this.#key !== key) this.close();
    this.#key = key;
    this.#ask(false, false);
    await this.#try(async () => {
      const value = await this.#api.read(key);
      if (this.#key === key) this.#show(key, value);
    }, "");
  }

  /** Shows no key any more. */
  close() {
    this.#key = null;
    this.#value = null;
    this.#tell("");
    this.#parts.open.hidden = true;
    this.#parts.empty.hidden = false;
  }

  #show(key, value) {
    const { empty, open, name, facts, text, preview, editor } = this.#parts;
    empty.hidden = true;
    open.hidden = false;
    name.textContent = keyText(key);
    this.#value = value;
    if (value === null) {
      this.#tell("The key is gone: deleted, or expired.");
      this.#endsAtMs = null;
      editor.hidden = true;
      preview.hidden = true;
      facts.textContent = "";
      this.#parts.left.textContent = "";
      return;
    }
    const length = value.fields !== null
      ? ` of ${wholeText(value.fieldCount)} ${value.fieldCount === 1 ? "field" : "fields"}`
      : value.lengthBytes === null
      ? ""
      : ` of ${wholeText(value.lengthBytes)} bytes`;
    facts.textContent = `${value.type}${length}, encoding ${value.encoding}, takes ${
      bytesText(value.memoryBytes)
    } of memory, `;
    editor.hidden = value.text === null;
    preview.hidden = value.text !== null;
    if (value.text !== null) text.value = value.text;
    else if (value.preview !== null) preview.textContent = hexLines(value.preview);
    else if (value.fields !== null) preview.textContent = fieldLines(value);
    else preview.textContent = "Only strings and hashes can be shown here.";
    this.#setEnd(value.pttlMs);
  }

  async #save() {
    const { text } = this.#parts, key = this.#key;
    await this.#try(async () => {
      const tag = await this.#api.write(key, text.value, this.#value.tag);
      const value = await this.#api.read(key);
      if (this.#key !== key) return;
      this.#show(key, value === null ? null : { ...value, tag: value.tag ?? tag });
    }, "Saved.");
  }

  async #expire(seconds) {
    const key = this.#key;
    await this.#try(async () => {
      const isThere = await this.#api.expire(key, seconds);
      if (this.#key !== key) return;
      if (isThere) this.#setEnd(seconds === null ? -1 : seconds * 1000);
      else this.#show(key, null);
      this.#parts.ttl.value = "";
    }, seconds === null ? "The key has no end of life now." : "The end of life is set.");
  }

  async #remove() {
    const key = this.#key;
    await this.#try(async () => {
      await this.#api.remove(key);
      if (this.#key === key) this.close();
      this.#listener.onRemoved(key);
    }, "");
  }

  /** Asks before a key is deleted. */
  #ask(isAsking, moves = true) {
    const { remove, sure } = this.#parts;
    remove.hidden = isAsking;
    sure.hidden = !isAsking;
    if (moves) (isAsking ? sure.querySelector("button") : remove).focus();
  }

  #setEnd(pttlMs) {
    this.#endsAtMs = pttlMs < 0 ? null : Date.now() + pttlMs;
    this.#tellEnd();
  }

  #tellEnd() {
    const { left } = this.#parts;
    if (this.#key === null || this.#value === null) return;
    const text = this.#endsAtMs === null
      ? "does not expire"
      : this.#endsAtMs <= Date.now()
      ? "has expired"
      : `expires in ${durationText((this.#endsAtMs - Date.now()) / 1000)}`;
    if (left.textContent !== text) left.textContent = text;
  }

  #on(name, event, handle) {
    this.#root.querySelector(`#key-${name}`).addEventListener(event, (given) => {
      given.preventDefault();
      handle();
    });
  }

  /** Runs it, and says what went wrong in words. */
  async #try(run, done) {
    this.#tell("");
    try {
      await run();
      if (done !== "" && this.#value !== null) this.#tell(done);
    } catch (error) {
      this.#tell(
        error.status === 412
          ? "Not saved: the value has changed meanwhile. Load it again to see it."
          : error.message,
      );
    }
  }

  #tell(text) {
    this.#parts.told.textContent = text;
  }
}

/** One line for each field of a hash: name, value, and when it ends. */
function fieldLines({ fields, fieldCount }) {
  const lines = fields.map(({ name, value, pttlMs }) => {
    const end = pttlMs < 0 ? "" : `  (expires in ${durationText(pttlMs / 1000)})`;
    return `${shortText(name)}: ${shortText(value)}${end}`;
  });
  const left = fieldCount - fields.length;
  if (left > 0) lines.push(`… and ${wholeText(left)} more`);
  return lines.join("\n");
}

/** A name or a value on one line, its beginning if it is long. */
function shortText(value) {
  const text = typeof value === "string" ? value.replaceAll(/[\r\n]/g, "␤") : keyText(value);
  return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`;
}

/** Bytes as `xxd` shows them: place, 16 bytes, characters. */
function hexLines(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const part = bytes.subarray(at, at + 16);
    const hex = Array.from(part, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = Array.from(part, (b) => b >= 32 && b < 127 ? String.fromCharCode(b) : ".").join(
      "",
    );
    lines.push(`${at.toString(16).padStart(6, "0")}  ${hex.padEnd(48)} ${text}`);
  }
  return lines.join("\n");
}
