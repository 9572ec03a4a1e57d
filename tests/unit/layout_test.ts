// Holds the layout: imports point down, the host's API stays at the edges, names and openings. The
// first test reads the real tree; the others show on made-up sources that every rule turns red.

import assert from "node:assert/strict";
import { layoutOffences, type SourceFile } from "../../tools/layout_rules.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

function sourceFiles(folder: string): SourceFile[] {
  const found: SourceFile[] = [];
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(ROOT + folder)];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return found;
    throw error;
  }
  for (const { name, isDirectory } of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    const path = `${folder}/${name}`;
    if (isDirectory) found.push(...sourceFiles(path));
    else if (name.endsWith(".ts")) found.push({ path, text: Deno.readTextFileSync(ROOT + path) });
  }
  return found;
}

/** Offences of one made-up file, as `line: what`. */
function offences(path: string, ...lines: string[]): string[] {
  return layoutOffences([{ path, text: lines.join("\n") }])
    .map(({ line, what }) => `${line}: ${what}`);
}

Deno.test("layoutOffences() finds nothing in this tree", () => {
  const files = ["src", "tests", "bench", "tools"].flatMap(sourceFiles);
  assert.ok(files.length >= 5, `only ${files.length} files found below ${ROOT}`);
  const found = layoutOffences(files);
  const list = found.map(({ path, line, what }) => `${path}:${line}: ${what}`).join("\n");
  assert.equal(list, "", `${found.length} offences:\n${list}`);
});

Deno.test("layoutOffences() lets imports point down", () => {
  const allowed: [string, string][] = [
    ["src/main.ts", "./cli/wal.ts"],
    ["src/main.ts", "./store/arena.ts"],
    ["src/worker.ts", "./server/tcp.ts"],
    ["src/cli/wal.ts", "../log/frame.ts"],
    ["src/server/tcp.ts", "../engine.ts"],
    ["src/server/tcp.ts", "../protocol/resp_parser.ts"],
    ["src/server/tcp.ts", "../store/store.ts"],
    ["src/cluster/slots.ts", "../engine.ts"],
    ["src/engine.ts", "./commands/strings.ts"],
    ["src/engine.ts", "./protocol/request_batch.ts"],
    ["src/engine.ts", "./log/effects.ts"],
    ["src/commands/strings.ts", "../protocol/reply_writer.ts"],
    ["src/commands/strings.ts", "../store/store.ts"],
    ["src/store/store.ts", "./arena.ts"],
    ["src/store/policy/lru.ts", "../shard.ts"],
    ["src/store/arena.ts", "../limits.ts"],
    ["src/log/ring.ts", "../bytes.ts"],
    ["src/session.ts", "./limits.ts"],
    ["src/bytes.ts", "node:buffer"],
    ["src/config.ts", "commander"],
  ];
  for (const [path, specifier] of allowed) {
    assert.deepEqual(offences(path, "// A file.", `import { x } from "${specifier}";`), [], path);
  }
});

Deno.test("layoutOffences() reports an import that points up or aside", () => {
  const refused: [string, string][] = [
    ["src/cli/wal.ts", "../main.ts"],
    ["src/server/tcp.ts", "../worker.ts"],
    ["src/server/tcp.ts", "../cluster/slots.ts"],
    ["src/cluster/slots.ts", "../server/tcp.ts"],
    ["src/engine.ts", "./server/tcp.ts"],
    ["src/engine.ts", "./protocol/resp_parser.ts"],
    ["src/engine.ts", "./log/frame.ts"],
    ["src/commands/strings.ts", "../engine.ts"],
    ["src/commands/strings.ts", "../protocol/resp_writer.ts"],
    ["src/store/store.ts", "../commands/strings.ts"],
    ["src/store/store.ts", "../protocol/reply_writer.ts"],
    ["src/log/ring.ts", "../store/store.ts"],
    ["src/protocol/resp_parser.ts", "../log/ring.ts"],
    ["src/session.ts", "./engine.ts"],
    ["src/session.ts", "./commands/table.ts"],
    ["src/limits.ts", "../tools/limits.ts"],
    ["src/extra/thing.ts", "../limits.ts"],
    ["src/server/tcp.ts", "../extra/thing.ts"],
  ];
  for (const [path, specifier] of refused) {
    const found = offences(path, "// A file.", "", `import { x } from "${specifier}";`);
    assert.equal(found.length, 1, `${path} imports ${specifier}: ${JSON.stringify(found)}`);
  }
});

Deno.test("layoutOffences() reads every form of import and tells its line", () => {
  const up = "1: imports src/engine.ts: store may not import engine";
  for (
    const form of [
      'import "../engine.ts"',
      "import '../engine.ts'",
      'import x from "../engine.ts"',
      'import type { X } from "../engine.ts"',
      'import {\n  x,\n} from "../engine.ts"',
      'export * from "../engine.ts"',
      'export { x } from "../engine.ts"',
      'await import("../engine.ts")',
    ]
  ) {
    const line = form.split("\n").length + 1;
    const expected = up.replace("1:", `${line}:`);
    assert.deepEqual(offences("src/store/a.ts", "// A file.", `${form};`), [expected], form);
  }
  assert.deepEqual(offences("src/store/a.ts", "// A file.", '// import "../engine.ts"'), []);
});

Deno.test("layoutOffences() keeps the store behind its door outside the thread entries", () => {
  const deep = 'import { x } from "../store/arena.ts";';
  assert.deepEqual(offences("src/commands/strings.ts", "// A file.", deep), [
    "2: imports src/store/arena.ts: src/store/store.ts is the store's only door",
  ]);
  assert.equal(offences("src/cli/memory.ts", "// A file.", deep).length, 1);
  assert.equal(offences("src/engine.ts", "// A.", deep.replace("../", "./")).length, 1);
  assert.deepEqual(offences("src/keeper.ts", "// A.", deep.replace("../", "./")), []);
});

Deno.test("layoutOffences() keeps Deno and the machine's modules at the edges", () => {
  const lines = ["// Deno in a comment", 'const a = "Deno.exit";', "Deno.exit(1);"];
  for (const path of ["main.ts", "worker.ts", "keeper.ts", "log_worker.ts", "host.ts"]) {
    assert.deepEqual(offences(`src/${path}`, ...lines), []);
  }
  for (const path of ["cli/wal.ts", "server/http/app.ts", "log/disk.ts"]) {
    assert.deepEqual(offences(`src/${path}`, ...lines), []);
  }
  for (const path of ["engine.ts", "clock.ts", "store/store.ts", "log/ring.ts", "commands/a.ts"]) {
    assert.deepEqual(offences(`src/${path}`, ...lines), [
      "3: Deno outside the thread entries, cli/, server/, log/disk.ts and host.ts",
    ]);
    const file = 'import fs from "node:fs/promises";';
    assert.equal(offences(`src/${path}`, "// A file.", file).length, 1);
  }
  const template = ["// A.", "const b = `Deno ${Deno.pid} Deno`;", "const c = /`Deno/;"];
  assert.equal(offences("src/clock.ts", ...template).length, 1);
});

Deno.test("layoutOffences() refuses specifiers that go around the import map", () => {
  for (const specifier of ["npm:hono", "jsr:@std/cli", "https://deno.land/x/a.ts"]) {
    const found = offences("src/main.ts", "// A file.", `import "${specifier}";`);
    assert.equal(found.length, 1, specifier);
  }
});

Deno.test("layoutOffences() reports names that are not nouns in snake_case", () => {
  for (const name of ["replyWriter.ts", "Reply.ts", "reply-writer.ts", "index.ts", "utils.ts"]) {
    assert.equal(offences(`src/server/${name}`, "// A file.").length, 1, name);
  }
  for (const name of ["helpers.ts", "types.ts", "common.ts", "to" + "do.ts"]) {
    assert.equal(offences(`tests/unit/${name}`, "// A file.").length, 1, name);
  }
  assert.equal(offences("bench/common/a.ts", "// A file.").length, 1);
  assert.deepEqual(offences("src/store/common_keys.ts", "// A file."), []);
});

Deno.test("layoutOffences() reports a file that does not open with a comment", () => {
  const what = "1: does not open with a comment that says what it is";
  assert.deepEqual(offences("src/clock.ts", "const a = 1;"), [what]);
  assert.deepEqual(offences("src/clock.ts", "", "// Late."), [what]);
  assert.deepEqual(offences("src/clock.ts", "//", "const a = 1;"), [what]);
  assert.deepEqual(offences("src/clock.ts", "/* The clock\n * of all. */"), []);
  assert.deepEqual(offences("src/clock.ts", "/** The clock. */"), []);
  assert.deepEqual(offences("tools/clock.ts", "export {};"), [what]);
});

Deno.test("layoutOffences() reports words of unfinished work with their lines", () => {
  for (const word of ["TO" + "DO", "FIX" + "ME", "X".repeat(3)]) {
    assert.deepEqual(offences("tests/unit/a_test.ts", "// A.", `const a = 1; // ${word}: b`), [
      `2: unfinished: ${word}`,
    ]);
  }
  assert.deepEqual(offences("src/clock.ts", "// A.", `const ${"X".repeat(5)} = "to do";`), []);
});
