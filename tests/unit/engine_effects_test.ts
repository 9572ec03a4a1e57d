// What the engine tells of changes: each once, in order, in groups of one command.

import assert from "node:assert/strict";
import { EffectLines } from "../support/effect_lines.ts";
import { EnginePath } from "../support/engine_path.ts";

const CASES: readonly (readonly [line: string, effects: string])[] = [
  ["SET a 1", "( put 0:a )"],
  ["GET a", ""],
  ["INCR a", "( put 0:a )"],
  ["INCR nobody EXTRA", ""],
  ["APPEND a x", "( put 0:a )"],
  ["APPEND fresh x", "( put 0:fresh )"],
  ["INCR a", ""],
  ["SET a 2 NX", ""],
  ["SETEX a 100 3", "( put 0:a )"],
  ["EXPIRE a 50", "( expire 0:a once )"],
  ["PERSIST a", "( expire 0:a never )"],
  ["PERSIST a", ""],
  ["EXPIRE a -1", "( remove 0:a )"],
  ["MSET b 1 c 2 b 3", "( put 0:b put 0:c put 0:b )"],
  ["DEL b nobody c", "( remove 0:b remove 0:c )"],
  ["GETSET d 1", "( put 0:d )"],
  ["GETDEL d", "( remove 0:d )"],
  ["SELECT 3", ""],
  ["SET e 1", "( put 3:e )"],
  ["FLUSHDB", "( flush 3 )"],
  ["SET f 1", "( put 3:f )"],
  ["RENAME f g", "( put 3:g remove 3:f )"],
  ["RENAMENX g g", ""],
  ["COPY g h DB 4", "( put 4:h )"],
  ["MOVE g 5", "( put 5:g remove 3:g )"],
  ["SWAPDB 3 5", "( databases 0125436789101112131415 )"],
  ["GET g", ""],
  ["SETRANGE g 3 x", "( put 5:g )"],
  ["SETBIT g 1 1", "( put 5:g )"],
  ["BITFIELD g GET u8 0", ""],
  ["BITFIELD g SET u8 0 7", "( put 5:g )"],
  ["BITOP NOT i g", "( put 5:i )"],
  ["BITOP NOT i nobody", "( remove 5:i )"],
  ["INCRBYFLOAT j 1.5", "( put 5:j )"],
  ["MSETNX j 1 k 2", ""],
  ["MSETNX k 1 l 2", "( put 5:k put 5:l )"],
  ["GETEX j", ""],
  ["GETEX j EX 10", "( expire 5:j once )"],
  ["GETEX j PERSIST", "( expire 5:j never )"],
  ["GETEX j EXAT 1", "( remove 5:j )"],
  ["SETBIT long 8000 1", "( put 5:long )"],
  ["SETBIT long 8007 1", "( range 5:long 1000 1001 )"],
  ["SETBIT long 16000 1", "( range 5:long 2000 2001 )"],
  ["APPEND long xyz", "( range 5:long 2001 2004 )"],
  ["SETRANGE long 2002 x", "( range 5:long 2002 2003 )"],
  [`SETRANGE long 0 ${"x".repeat(1500)}`, "( put 5:long )"],
  ["BITFIELD long SET u8 #10 7 GET u8 #20 SET u8 #30 1", "( range 5:long 10 31 )"],
  ["BITFIELD long OVERFLOW FAIL INCRBY u1 16039 2", "( range 5:long 2004 2005 )"],
  ["FLUSHALL", "( flush -1 )"],
];

Deno.test("Engine tells every change within its command's group, and nothing else", () => {
  const sink = new EffectLines(), path = new EnginePath(sink);
  for (const [line, effects] of CASES) {
    path.replies(`${line}\r\n`);
    assert.equal(sink.take(), effects, line);
  }
});

const HASH_CASES: readonly (readonly [line: string, effects: string])[] = [
  ["HSET h f 1 g 2", "( put 0:h )"],
  ["HSET h f 3", "( fields 0:h 1: f=3 )"],
  ["HSET h i 1 f 4 i 2", "( fields 0:h 3: i=1 f=4 i=2 )"],
  ["HSETNX h f 9", ""],
  ["HINCRBY h f 5", "( fields 0:h 1: f=9 )"],
  ["HINCRBYFLOAT h f 0.5", "( fields 0:h 1: f=9.5 )"],
  ["HEXPIRE h 100 FIELDS 2 f nobody", "( expireFields 0:h 1: f once )"],
  ["HINCRBYFLOAT h f 1", "( fields 0:h 1: f=10.5 once )"],
  ["HGETEX h PERSIST FIELDS 1 f", "( expireFields 0:h 1: f never )"],
  ["HGETEX h FIELDS 1 f", ""],
  ["HSETEX h EX 100 FIELDS 1 f x", "( fields 0:h 1: f=x once )"],
  ["HPERSIST h FIELDS 1 f", "( expireFields 0:h 1: f never )"],
  ["HPERSIST h FIELDS 1 f", ""],
  ["HDEL h nobody", ""],
  ["HDEL h i i", "( removeFields 0:h 1: i )"],
  ["HPEXPIREAT h 1 FIELDS 1 g", "( removeFields 0:h 1: g )"],
  ["HGETDEL h FIELDS 2 nobody f", "( remove 0:h )"],
  ["HINCRBY h n 1", "( put 0:h )"],
  ["RENAME h j", "( put 0:j remove 0:h )"],
  ["COPY j k", "( put 0:k )"],
  ["EXPIRE k 100", "( expire 0:k once )"],
  ["HSET k n 2", "( fields 0:k 1: n=2 )"],
  ["SET k text", "( put 0:k )"],
  ["HSET k n 2", ""],
  ["DEL j", "( remove 0:j )"],
];

Deno.test("Engine tells of a hash what the command did to its fields, and the whole where it made it", () => {
  const sink = new EffectLines(), path = new EnginePath(sink);
  for (const [line, effects] of HASH_CASES) {
    path.replies(`${line}\r\n`);
    assert.equal(sink.take(), effects, line);
  }
});

Deno.test("Engine tells the whole of a hash whose key or fields had expired, and nothing of its life before", () => {
  const sink = new EffectLines(), path = new EnginePath(sink);
  for (const expire of ["PEXPIREAT h", "HPEXPIREAT h"]) {
    const expiresAtMs = Date.now() + 20, fields = expire.startsWith("H") ? " FIELDS 2 f g" : "";
    path.replies(`HSET h f 1 g 2\r\n${expire} ${expiresAtMs}${fields}\r\n`);
    assert.match(sink.take(), /^\( put 0:h \) \( expire/);
    while (Date.now() <= expiresAtMs);
    path.replies("HSET h new 3\r\n");
    assert.equal(sink.take(), "( put 0:h )", expire);
    assert.equal(path.replies("HGETALL h\r\n"), "*2\r\n$3\r\nnew\r\n$1\r\n3\r\n");
    path.replies("DEL h\r\n");
    sink.take();
  }
});

Deno.test("Engine tells no more of a field that is named many times than was asked for", () => {
  const sink = new EffectLines(), path = new EnginePath(sink), long = "v".repeat(15_000);
  path.replies("HSET h f 0\r\n");
  sink.take();
  path.replies(`HSET h ${"f 1 ".repeat(100)}f ${long}\r\n`);
  const told = sink.take();
  assert.ok(told.length < long.length + 1000, `${told.length} characters`);
  assert.ok(told.endsWith(`f=1 f=${long} )`));
});

Deno.test("Engine tells a large value once, and keeps commands of one micro-batch in groups of their own", () => {
  const sink = new EffectLines(), path = new EnginePath(sink);
  path.replies(`SET a ${"v".repeat(20_000)}\r\nAPPEND a ${"w".repeat(20_000)}\r\n`);
  assert.equal(sink.take(), "( put 0:a ) ( put 0:a )");
  assert.equal(path.replies("INCR n\r\nINCR n\r\nINCR n\r\n"), ":1\r\n:2\r\n:3\r\n");
  assert.equal(sink.take(), "( put 0:n ) ( put 0:n ) ( put 0:n )");
});

Deno.test("Engine tells the whole of a long value whose key had expired, never a part of the life before", () => {
  const sink = new EffectLines(), path = new EnginePath(sink);
  const changes = [
    "SETBIT k 12000 1",
    "APPEND k x",
    "SETRANGE k 1500 x",
    "BITFIELD k SET u8 12000 1",
  ];
  for (const length of [2000, 40_000]) {
    for (const change of changes) {
      const expiresAtMs = Date.now() + 2;
      path.replies(`SET k ${"v".repeat(length)} PXAT ${expiresAtMs}\r\n`);
      while (Date.now() <= expiresAtMs);
      sink.take();
      path.replies(`${change}\r\n`);
      assert.equal(sink.take(), "( put 0:k )", `${change} after ${length} bytes`);
    }
  }
});
