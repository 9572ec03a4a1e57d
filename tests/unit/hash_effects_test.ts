// What is told of changes of hashes: a hash that comes as a whole, its fields one by one, the last of them as a removal.
import assert from "node:assert/strict";
import { EffectLines } from "../support/effect_lines.ts";
import { EnginePath } from "../support/engine_path.ts";

const CASES: readonly (readonly [line: string, effects: string])[] = [
  ["HSET h a 1 b 2", "( put 0:h )"],
  ["HSET h a 3", "( fields 0:h 1: a=3 )"],
  ["HSET h c 4 a 5", "( fields 0:h 2: c=4 a=5 )"],
  ["HGET h a", ""],
  ["HSETNX h a 7", ""],
  ["HSETNX h d 7", "( fields 0:h 1: d=7 )"],
  ["HINCRBY h d 3", "( fields 0:h 1: d=10 )"],
  ["HINCRBY h a x", ""],
  ["HINCRBYFLOAT h d 0.5", "( fields 0:h 1: d=10.5 )"],
  ["HDEL h nobody", ""],
  ["HDEL h d nobody c", "( removeFields 0:h 2: d c )"],
  ["HEXPIRE h 100 FIELDS 2 a nobody", "( expireFields 0:h 1: a once )"],
  ["HSET h b 3", "( fields 0:h 1: b=3 )"],
  ["HINCRBY h a 1", "( fields 0:h 1: a=6 once )"],
  ["HPERSIST h FIELDS 1 a", "( expireFields 0:h 1: a never )"],
  ["HSETEX h EX 100 FIELDS 2 e 1 f 2", "( fields 0:h 2: e=1 once f=2 once )"],
  ["HGETEX h PERSIST FIELDS 1 e", "( expireFields 0:h 1: e never )"],
  ["HGETDEL h FIELDS 1 e", "( removeFields 0:h 1: e )"],
  ["HPEXPIREAT h 1 FIELDS 1 f", "( removeFields 0:h 1: f )"],
  ["EXPIRE h 100", "( expire 0:h once )"],
  ["HSET h a 1", "( fields 0:h 1: a=1 )"],
  ["COPY h i", "( put 0:i )"],
  ["RENAME i j", "( put 0:j remove 0:i )"],
  ["HSET h b 2", "( fields 0:h 1: b=2 )"],
  ["HDEL h a b", "( remove 0:h )"],
  ["HSET s", ""],
  ["SET s 1", "( put 0:s )"],
  ["HSET s a 1", ""],
  ["SET j 1", "( put 0:j )"],
  ["HINCRBY n a 1", "( put 0:n )"],
];

Deno.test("Engine tells fields of a hash that was there, and the whole of one that was not", () => {
  const sink = new EffectLines(), path = new EnginePath(sink);
  for (const [line, effects] of CASES) {
    path.replies(`${line}\r\n`);
    assert.equal(sink.take(), effects, line);
  }
});

Deno.test("Engine tells the whole of a hash whose fields had all expired", async () => {
  const sink = new EffectLines(), path = new EnginePath(sink);
  path.replies("HSET h a 1 b 2\r\nHPEXPIRE h 1 FIELDS 2 a b\r\n");
  sink.take();
  const endMs = Date.now() + 5_000;
  while (path.replies("HLEN h\r\n") !== ":0\r\n") {
    assert.ok(Date.now() < endMs, "the fields do not expire");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  path.replies("HSET h c 3\r\n");
  assert.equal(sink.take(), "( put 0:h )");
  assert.equal(path.replies("HGETALL h\r\n"), "*2\r\n$1\r\nc\r\n$1\r\n3\r\n");
});

Deno.test("Engine tells each field of a large hash by itself", () => {
  const sink = new EffectLines(), path = new EnginePath(sink);
  for (let i = 0; i < 1_000; i++) path.replies(`HSET h field:${i} ${i}\r\n`);
  sink.take();
  path.replies("HSET h field:500 new field:1000 added\r\n");
  assert.equal(sink.take(), "( fields 0:h 2: field:500=new field:1000=added )");
  for (let i = 0; i < 1_000; i++) path.replies(`HDEL h field:${i}\r\n`);
  sink.take();
  path.replies("HDEL h field:1000\r\n");
  assert.equal(sink.take(), "( remove 0:h )");
});
