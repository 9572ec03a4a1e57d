// The rules of the layout: which file may import which, where the host's API may appear, how files
// are named and opened. Pure: it takes sources and gives offences, and must not read any folder.

import { splitSource } from "./source_text.ts";

/** A file of the tree; `path` is relative to its root, with slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** One breach of one rule; `line` counts from 1. */
export interface Offence {
  readonly path: string;
  readonly line: number;
  readonly what: string;
}

type Layer =
  | "entry"
  | "cli"
  | "server"
  | "cluster"
  | "engine"
  | "commands"
  | "persistence"
  | "store"
  | "log"
  | "protocol"
  | "leaf";

/** What each layer may import besides its own files: imports point down. */
const MAY_IMPORT: Readonly<Record<Layer, readonly Layer[]>> = {
  entry: [
    "cli",
    "server",
    "cluster",
    "engine",
    "commands",
    "persistence",
    "store",
    "log",
    "protocol",
    "leaf",
  ],
  cli: ["server", "cluster", "engine", "commands", "store", "log", "protocol", "leaf"],
  server: ["engine", "commands", "store", "log", "protocol", "leaf"],
  cluster: ["engine", "commands", "store", "log", "protocol", "leaf"],
  engine: ["commands", "store", "leaf"],
  commands: ["store", "leaf"],
  persistence: ["store", "log", "leaf"],
  store: ["leaf"],
  log: ["leaf"],
  protocol: ["leaf"],
  leaf: [],
};

/**
 * Seams of `protocol` and `log` that the engine and the commands speak through: interfaces, and the
 * ring that the engine appends to, with its board. A new one is named here on purpose.
 */
const SEAMS: ReadonlySet<string> = new Set([
  "src/protocol/reply_writer.ts",
  "src/protocol/request_batch.ts",
  "src/log/effects.ts",
  "src/log/log_board.ts",
  "src/log/ring.ts",
]);
const SPEAK_THROUGH_SEAMS: readonly Layer[] = ["engine", "commands"];

/** Entries of threads, those too that this version does not have. */
export const THREAD_ENTRIES: readonly string[] = [
  "main.ts",
  "worker.ts",
  "keeper.ts",
  "log_worker.ts",
]
  .map((name) => `src/${name}`);
const STORE_DOOR = "src/store/store.ts";

/** Files that may use `Deno` and the Node modules that reach the machine. */
const HOST_FILES: readonly string[] = [...THREAD_ENTRIES, "src/log/disk.ts", "src/host.ts"];
const HOST_FOLDERS: readonly string[] = ["src/cli/", "src/server/"];
const HOST_MODULES =
  /^node:(?:fs|net|os|process|child_process|worker_threads|http2?|https|dgram|tls|dns)(?:\/|$)/;

const EMPTY_NAMES = /^(?:index|util|utils|helper|helpers|type|types|common|misc)$/;
/** Put together here so that this file passes its own rule. */
const UNFINISHED = new RegExp(`\\b(?:${["TO" + "DO", "FIX" + "ME", "X".repeat(3)].join("|")})\\b`);

const IMPORTS = /(?:\bfrom\s*|\bimport\s*(?:\(\s*)?)(["'])((?:(?!\1)[^\\\n])+)\1/g;

/** All offences of a tree, in the order of its files and lines. */
export function layoutOffences(files: readonly SourceFile[]): Offence[] {
  return files.flatMap((file) => {
    const found = [...nameOffences(file), ...textOffences(file), ...openingOffences(file)];
    if (file.path.startsWith("src/")) {
      const { code, uncommented } = splitSource(file.text);
      found.push(...hostOffences(file, code), ...importOffences(file, uncommented));
      if (layerOf(file.path) === null) {
        found.push({ path: file.path, line: 1, what: "its folder is not in the layout" });
      }
    }
    return found.sort((a, b) => a.line - b.line);
  });
}

function nameOffences({ path }: SourceFile): Offence[] {
  const found: Offence[] = [];
  for (const part of path.split("/")) {
    const stem = part.replace(/\.[a-z0-9]+$/, "");
    if (!/^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/.test(stem)) {
      found.push({ path, line: 1, what: `name is not snake_case: ${part}` });
    }
    if (EMPTY_NAMES.test(stem)) found.push({ path, line: 1, what: `name says nothing: ${part}` });
    if (UNFINISHED.test(stem.toUpperCase().replaceAll("_", " "))) {
      found.push({ path, line: 1, what: `name of unfinished work: ${part}` });
    }
  }
  return found;
}

function textOffences({ path, text }: SourceFile): Offence[] {
  return text.split("\n").flatMap((line, index) => {
    const word = UNFINISHED.exec(line);
    return word === null ? [] : [{ path, line: index + 1, what: `unfinished: ${word[0]}` }];
  });
}

function openingOffences({ path, text }: SourceFile): Offence[] {
  if (!path.endsWith(".ts") || /^(?:\/\/|\/\*\*?\s) *\S/.test(text)) return [];
  return [{ path, line: 1, what: "does not open with a comment that says what it is" }];
}

function hostOffences({ path }: SourceFile, code: string): Offence[] {
  if (mayUseHost(path)) return [];
  return [...code.matchAll(/\bDeno\b/g)].map((match) => ({
    path,
    line: lineAt(code, match.index),
    what: "Deno outside the thread entries, cli/, server/, log/disk.ts and host.ts",
  }));
}

function mayUseHost(path: string): boolean {
  return HOST_FILES.includes(path) || HOST_FOLDERS.some((folder) => path.startsWith(folder));
}

function importOffences({ path }: SourceFile, uncommented: string): Offence[] {
  const found: Offence[] = [];
  for (const match of uncommented.matchAll(IMPORTS)) {
    const what = importOffence(path, match[2]!);
    if (what !== null) found.push({ path, line: lineAt(uncommented, match.index), what });
  }
  return found;
}

/** Why `path` may not import `specifier`, or null. */
function importOffence(path: string, specifier: string): string | null {
  if (!specifier.startsWith(".")) {
    if (HOST_MODULES.test(specifier) && !mayUseHost(path)) {
      return `${specifier} reaches the machine: only where Deno may be used`;
    }
    return /^(?:npm|jsr|https?|file):/.test(specifier)
      ? `${specifier} goes around the import map of deno.json`
      : null;
  }
  const target = resolved(path, specifier);
  if (!target.startsWith("src/")) return `imports ${target}, which is outside src/`;
  const from = layerOf(path);
  const to = layerOf(target);
  if (from === null) return null; // its folder is an offence of its own
  if (to === null) return `imports ${target}, whose folder is not in the layout`;
  if (to === "store" && from !== "store" && target !== STORE_DOOR) {
    return THREAD_ENTRIES.includes(path)
      ? null
      : `imports ${target}: ${STORE_DOOR} is the store's only door`;
  }
  if (from === to || MAY_IMPORT[from].includes(to)) return null;
  if (SEAMS.has(target) && SPEAK_THROUGH_SEAMS.includes(from)) return null;
  return `imports ${target}: ${from} may not import ${to}`;
}

/** Null for a folder of `src/` that the layout does not name. */
function layerOf(path: string): Layer | null {
  const [, first = "", second] = path.split("/");
  if (second === undefined) {
    if (THREAD_ENTRIES.includes(path)) return "entry";
    return first === "engine.ts" ? "engine" : "leaf";
  }
  const isFolder = first in MAY_IMPORT && !["entry", "leaf", "engine"].includes(first);
  return isFolder ? first as Layer : null;
}

function resolved(path: string, specifier: string): string {
  const parts = path.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}
