// The text of a configuration file: a line for each setting, `name value`, `#` for comments; pure, no file is read.
import { type Flag, FLAG_NAMES, type FlagName, FLAGS } from "./config_flags.ts";

/** A setting of the file and the number of its line, from 1. */
export interface FileSetting {
  readonly text: string;
  readonly line: number;
}

export type FileSettings = ReadonlyMap<FlagName, FileSetting>;

/** Settings that say where the file is cannot stand in it. */
const NOT_IN_FILE: readonly FlagName[] = ["config"];

/** What the text sets, the last line of a name counts unless it may stand there several times; or the error with its line. */
export function parseConfigFile(
  text: string,
): { readonly ok: FileSettings } | { readonly error: string } {
  const settings = new Map<FlagName, FileSetting>();
  const lines = text.split(/\r?\n/);
  for (let i = 0; i < lines.length; i++) {
    const read = readLine(lines[i]);
    if (read === null) continue;
    if (!isSetting(read.name)) {
      return { error: `line ${i + 1}: unknown setting ${quoted(read.name)}` };
    }
    if (read.value === "") return { error: `line ${i + 1}: ${read.name} has no value` };
    const before = settings.get(read.name);
    const isJoined = before !== undefined && (FLAGS[read.name] as Flag<unknown>).isRepeatable;
    const value = isJoined === true ? `${before!.text} ${read.value}` : read.value;
    settings.set(read.name, { text: value, line: i + 1 });
  }
  return { ok: settings };
}

/**
 * The text with these settings in it: lines that say otherwise are changed where they stand, names without a line come
 * at the end unless they are as by default; comments, order and all else stay. `maxmemoryDefault` is what a maxmemory of
 * 0 stands for on this machine.
 */
export function rewriteConfigFile(
  text: string,
  values: ReadonlyMap<FlagName, string>,
  maxmemoryDefault: string,
): string {
  const left = new Map(values);
  const lines = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  // From the end on, because there the last line of a name counts.
  for (let i = lines.length - 1; i >= 0; i--) {
    const read = readLine(lines[i].replace(/\r$/, ""));
    const value = read === null ? undefined : left.get(read.name as FlagName);
    if (value === undefined) continue;
    left.delete(read!.name as FlagName);
    if (!isSame(read!.name as FlagName, value, read!.value)) {
      lines[i] = writeLine(read!.name, value);
    }
  }
  for (const [name, value] of left) {
    const byDefault = name === "maxmemory" ? maxmemoryDefault : FLAGS[name].fallback;
    if (byDefault === null || !isSame(name, value, byDefault)) lines.push(writeLine(name, value));
  }
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

/** Null for a blank line or a comment. */
function readLine(line: string): { name: string; value: string } | null {
  const match = /^\s*([^\s#]\S*)\s*(.*?)\s*$/.exec(line);
  if (match === null) return null;
  const value = match[2], isQuoted = value.length >= 2 && /^"[^"]*"$|^'[^']*'$/.test(value);
  return { name: match[1].toLowerCase(), value: isQuoted ? value.slice(1, -1) : value };
}

/** Whether two texts set a flag to the same: `100mb` and `104857600`. */
function isSame(name: FlagName, a: string, b: string): boolean {
  const { parse } = FLAGS[name] as Flag<unknown>;
  return a === b || String(parse(a)) === String(parse(b));
}

function writeLine(name: string, value: string): string {
  return `${name} ${/^\s|\s$|^["'#]/.test(value) ? `"${value}"` : value}`;
}

function isSetting(name: string): name is FlagName {
  return (FLAG_NAMES as readonly string[]).includes(name) &&
    !NOT_IN_FILE.includes(name as FlagName);
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}...` : text);
}
