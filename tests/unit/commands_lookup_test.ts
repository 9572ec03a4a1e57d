// The look-up of command names: every name in any case, and nothing that only looks like one.
import assert from "node:assert/strict";
import fc from "fast-check";
import { CommandLookup } from "../../src/commands/command_lookup.ts";
import { ROWS, SUBCOMMANDS } from "../../src/commands/table.ts";

const NAMES = ROWS.map((row) => row.name);
const SLACK_BYTES = 8;

/** Looks up a name that lies at `start` between bytes that must not be taken for it. */
function find(lookup: CommandLookup, name: Uint8Array, start = 3, fill = 0x41): number {
  const bytes = new Uint8Array(start + name.length + SLACK_BYTES).fill(fill);
  bytes.set(name, start);
  return lookup.find(new DataView(bytes.buffer), bytes, start, start + name.length);
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

Deno.test("find() gives the row of every command in any case and at any offset", () => {
  const lookup = new CommandLookup(NAMES);
  fc.assert(fc.property(
    fc.nat(NAMES.length - 1),
    fc.array(fc.boolean(), { minLength: 16, maxLength: 16 }),
    fc.nat(7),
    fc.nat(255),
    (row, isUpper, start, fill) => {
      const name = [...NAMES[row]].map((char, i) => isUpper[i] ? char.toUpperCase() : char);
      assert.equal(find(lookup, latin1(name.join("")), start, fill), row);
    },
  ));
  NAMES.forEach((name, row) => assert.equal(find(lookup, latin1(name)), row, name));
});

Deno.test("find() gives -1 for prefixes, longer names and other bytes in their place", () => {
  const lookup = new CommandLookup(NAMES);
  const known = new Set(NAMES);
  for (const name of NAMES) {
    for (let length = 0; length < name.length; length++) {
      const prefix = name.slice(0, length);
      if (!known.has(prefix)) assert.equal(find(lookup, latin1(prefix)), -1, prefix);
    }
    for (const tail of ["\0", " ", "a", "X", "\xff", "\0\0\0\0\0\0\0\0"]) {
      if (!known.has(name + tail.toLowerCase())) {
        assert.equal(find(lookup, latin1(name + tail)), -1, JSON.stringify(name + tail));
      }
    }
    for (let at = 0; at < name.length; at++) {
      for (let byte = 0; byte < 256; byte++) {
        const bytes = latin1(name);
        bytes[at] = byte;
        const spelled = String.fromCharCode(...bytes).replace(
          /[A-Z]/g,
          (char) => char.toLowerCase(),
        );
        assert.equal(find(lookup, bytes), NAMES.indexOf(spelled), `${name} with ${byte} at ${at}`);
      }
    }
  }
});

Deno.test("find() gives -1 for no name and for very long ones", () => {
  const lookup = new CommandLookup(NAMES);
  assert.equal(find(lookup, new Uint8Array(0)), -1);
  assert.equal(find(lookup, latin1("g".repeat(1000))), -1);
  assert.equal(find(lookup, latin1("get".repeat(333) + "g")), -1);
});

Deno.test("find() compares names with other bytes than letters in full", () => {
  const lookup = new CommandLookup(["a[b", "x-y", "longer-than-eight", "b.add"]);
  assert.equal(find(lookup, latin1("A[B")), 0);
  assert.equal(find(lookup, latin1("a{b")), -1);
  assert.equal(find(lookup, latin1("X-Y")), 1);
  assert.equal(find(lookup, latin1("x\x0dy")), -1);
  assert.equal(find(lookup, latin1("LONGER-THAN-eight")), 2);
  assert.equal(find(lookup, latin1("LONGER-THAN-eighT")), 2);
  assert.equal(find(lookup, latin1("LONGER\x0dTHAN-eight")), -1);
  assert.equal(find(lookup, latin1("longer-than-nine!")), -1);
  assert.equal(find(lookup, latin1("b.ADD")), 3);
  assert.equal(find(lookup, latin1("b\x0eadd")), -1);
});

Deno.test("CommandLookup() refuses a name given twice", () => {
  assert.throws(() => new CommandLookup(["get", "set", "GET"]), /GET is there twice/);
});

Deno.test("ROWS are consistent in names, arities, keys and what runs them", () => {
  const all = [...ROWS, ...[...SUBCOMMANDS.values()].flat()];
  assert.equal(new Set(all.map((row) => row.name)).size, all.length);
  for (const row of all) {
    assert.match(row.name, /^[a-z_]+(?:\|[a-z-]+)?$/);
    assert.notEqual(row.arity, 0, row.name);
    assert.ok(row.summary.length > 0 && !/[.\r\n]$/.test(row.summary), row.name);
    assert.match(row.since, /^\d+\.\d+\.\d+$/, row.name);
    assert.equal(row.begin !== undefined, row.each !== undefined, row.name);
    assert.equal(row.each !== undefined, row.kind === 3 || row.kind === 4, row.name);
    // WATCH takes its keys' locks itself.
    const takesKeys = row.kind !== 0 || row.name === "watch";
    assert.equal(row.firstKey !== 0, takesKeys, `${row.name}: a key's kind has a key`);
    assert.equal(row.firstKey === 0, row.keyStep === 0, row.name);
  }
  for (const [container, rows] of SUBCOMMANDS) {
    assert.ok(NAMES.includes(container), container);
    for (const row of rows) assert.ok(row.name.startsWith(`${container}|`), row.name);
  }
});
