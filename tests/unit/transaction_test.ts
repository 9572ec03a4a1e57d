// MULTI, EXEC, DISCARD and WATCH over one worker's engine: replies, groups in the log, what breaks a watch.
import assert from "node:assert/strict";
import { EnginePath } from "../support/engine_path.ts";
import { EffectLines } from "../support/effect_lines.ts";

function queued(count: number): string {
  return "+QUEUED\r\n".repeat(count);
}

Deno.test("EXEC runs what MULTI queued, and replies for all of it", () => {
  const path = new EnginePath();
  assert.equal(
    path.replies(
      "MULTI\r\nSET a 1\r\nINCR a\r\nGET a\r\nMGET a b\r\nDEL a b\r\nPING\r\nEXEC\r\nGET a\r\n",
    ),
    `+OK\r\n${
      queued(6)
    }*6\r\n+OK\r\n:2\r\n$1\r\n2\r\n*2\r\n$1\r\n2\r\n$-1\r\n:1\r\n+PONG\r\n$-1\r\n`,
  );
});

Deno.test("EXEC over several batches runs what they queued", () => {
  const path = new EnginePath();
  assert.equal(path.replies("MULTI\r\n"), "+OK\r\n");
  assert.equal(path.replies("SET a 1\r\n"), "+QUEUED\r\n");
  assert.equal(path.replies("APPEND a 2\r\nGET b\r\n"), queued(2));
  assert.equal(path.replies("EXEC\r\nGET a\r\n"), "*3\r\n+OK\r\n:2\r\n$-1\r\n$2\r\n12\r\n");
});

Deno.test("EXEC goes on behind a command that fails", () => {
  const path = new EnginePath();
  assert.equal(
    path.replies("MULTI\r\nSET a x\r\nINCR a\r\nSET b 1\r\nEXEC\r\nGET b\r\n"),
    `+OK\r\n${
      queued(3)
    }*3\r\n+OK\r\n-ERR value is not an integer or out of range\r\n+OK\r\n$1\r\n1\r\n`,
  );
});

Deno.test("EXEC is refused after a command that could not be queued", () => {
  const aborted = "-EXECABORT Transaction discarded because of previous errors.\r\n";
  for (
    const [wrong, reply] of [
      ["NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: \r\n"],
      ["GET", "-ERR wrong number of arguments for 'get' command\r\n"],
      ["CONFIG NOSUCH", "-ERR unknown subcommand 'NOSUCH'. Try CONFIG HELP.\r\n"],
      ["CONFIG SET a", "-ERR wrong number of arguments for 'config|set' command\r\n"],
      ["SAVE", "-ERR Command not allowed inside a transaction\r\n"],
    ]
  ) {
    const path = new EnginePath();
    assert.equal(
      path.replies(`MULTI\r\nSET a 1\r\n${wrong}\r\nSET b 1\r\nEXEC\r\nGET a\r\n`),
      `+OK\r\n+QUEUED\r\n${reply}+QUEUED\r\n${aborted}$-1\r\n`,
    );
  }
});

Deno.test("MULTI, EXEC, DISCARD and WATCH refuse the wrong order without harm", () => {
  const path = new EnginePath();
  assert.equal(path.replies("EXEC\r\n"), "-ERR EXEC without MULTI\r\n");
  assert.equal(path.replies("DISCARD\r\n"), "-ERR DISCARD without MULTI\r\n");
  assert.equal(
    path.replies("MULTI\r\nMULTI\r\nWATCH a\r\nSET a 1\r\nEXEC\r\n"),
    "+OK\r\n-ERR MULTI calls can not be nested\r\n-ERR WATCH inside MULTI is not allowed\r\n" +
      "+QUEUED\r\n*1\r\n+OK\r\n",
  );
  assert.equal(
    path.replies("MULTI\r\nSET a 2\r\nDISCARD\r\nGET a\r\nMULTI\r\nSET a 3\r\nRESET\r\nGET a\r\n"),
    "+OK\r\n+QUEUED\r\n+OK\r\n$1\r\n1\r\n+OK\r\n+QUEUED\r\n+RESET\r\n$1\r\n1\r\n",
  );
  assert.equal(path.replies("MULTI\r\nEXEC\r\n"), "+OK\r\n*0\r\n");
});

Deno.test("EXEC follows SELECT and SWAPDB among its commands", () => {
  const path = new EnginePath();
  assert.equal(
    path.replies(
      "MULTI\r\nSET k 0\r\nSELECT 1\r\nSET k 1\r\nSWAPDB 0 1\r\nGET k\r\nSELECT 0\r\nGET k\r\nCOPY k c DB 2\r\n" +
        "MOVE k 3\r\nDBSIZE\r\nEXEC\r\nSELECT 2\r\nGET c\r\nSELECT 3\r\nGET k\r\n",
    ),
    `+OK\r\n${
      queued(10)
    }*10\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n$1\r\n0\r\n+OK\r\n$1\r\n1\r\n:1\r\n:1\r\n:0\r\n` +
      "+OK\r\n$1\r\n1\r\n+OK\r\n$1\r\n1\r\n",
  );
});

Deno.test("EXEC runs commands that look at the whole store, with all shards held", () => {
  const path = new EnginePath();
  assert.equal(
    path.replies(
      "SET a 1\r\nMULTI\r\nKEYS *\r\nSCAN 0 COUNT 1000\r\nRANDOMKEY\r\nOBJECT ENCODING a\r\nFLUSHALL\r\nDBSIZE\r\n" +
        "SET b 1\r\nFLUSHDB\r\nRANDOMKEY\r\nMEMORY PURGE\r\nEXEC\r\n",
    ),
    `+OK\r\n+OK\r\n${
      queued(10)
    }*10\r\n*1\r\n$1\r\na\r\n*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n$1\r\na\r\n` +
      "$3\r\nint\r\n+OK\r\n:0\r\n+OK\r\n+OK\r\n$-1\r\n+OK\r\n",
  );
});

Deno.test("EXEC tells the log of all its effects in one group", () => {
  const effects = new EffectLines(), path = new EnginePath(effects);
  path.replies("SET old 1\r\n");
  effects.take();
  path.replies(
    "MULTI\r\nSET a 1\r\nINCR b\r\nDEL old\r\nFLUSHDB\r\nMSET c 1 d 2\r\nEXPIRE c 100\r\nEXEC\r\n",
  );
  assert.equal(
    effects.take(),
    "( put 0:a put 0:b remove 0:old flush 0 put 0:c put 0:d expire 0:c once )",
  );
  assert.equal(effects.published, 2);
  path.replies("MULTI\r\nGET a\r\nEXEC\r\nMULTI\r\nSET a 1\r\nDISCARD\r\n");
  assert.equal(effects.take(), "");
});

Deno.test("a transaction that would write is refused while the log takes no writes, one that reads is not", () => {
  const effects = new EffectLines(), path = new EnginePath(effects);
  path.replies("MULTI\r\nSET a 1\r\n");
  effects.reason = "the disk is full";
  const misconf = "MISCONF Errors writing to the AOF file: the disk is full";
  assert.equal(
    path.replies("EXEC\r\n"),
    `-EXECABORT Transaction discarded because of: ${misconf}\r\n`,
  );
  assert.equal(
    path.replies("MULTI\r\nGET a\r\nSET a 1\r\nEXEC\r\n"),
    `+OK\r\n+QUEUED\r\n-${misconf}\r\n-EXECABORT Transaction discarded because of previous errors.\r\n`,
  );
  assert.equal(path.replies("MULTI\r\nGET a\r\nEXEC\r\n"), "+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n");
  effects.reason = null;
  assert.equal(path.replies("MULTI\r\nSET a 1\r\nEXEC\r\n"), "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
});

Deno.test("EXEC moves large values and makes large results while it holds their shards", () => {
  const path = new EnginePath(), big = "x".repeat(20_000);
  assert.equal(
    path.replies(
      `MULTI\r\nSET a ${big}\r\nAPPEND a y\r\nSTRLEN a\r\nCOPY a b\r\nRENAME b c\r\nSETRANGE c 30000 z\r\n` +
        "STRLEN c\r\nBITOP NOT n c\r\nSTRLEN n\r\nBITCOUNT a\r\nEXEC\r\n",
    ),
    `+OK\r\n${queued(10)}*10\r\n+OK\r\n:20001\r\n:20001\r\n:1\r\n+OK\r\n:30001\r\n:30001\r\n` +
      ":30001\r\n:30001\r\n:80005\r\n",
  );
});

Deno.test("WATCH lets EXEC do nothing once the key was changed, whatever changed it", () => {
  for (
    const [before, change] of [
      ["", "SET k 1"],
      ["", "INCR k"],
      ["SET k 1", "SET k 1"],
      ["SET k 1", "SET k a-longer-value-than-before"],
      ["SET k 1", "APPEND k 2"],
      ["SET k 1", "SETBIT k 1 1"],
      ["SET k 1", "EXPIRE k 100"],
      ["SET k 1 EX 100", "PERSIST k"],
      ["SET k 1", "GETEX k EX 100"],
      ["SET k 1", "DEL k"],
      ["SET k 1", "GETDEL k"],
      ["SET k 1", "RENAME k l"],
      ["SET l 1", "RENAME l k"],
      ["SET l 1", "COPY l k"],
      ["SET k 1", "FLUSHDB"],
      ["SET k 1", "FLUSHALL"],
      ["SET k 1", "SWAPDB 0 1"],
      ["SET k 1", "MOVE k 1"],
      ["SET k 1", "MSET a 1 k 2"],
      ["SET k 1", "EXPIRE k -1"],
    ]
  ) {
    const path = new EnginePath();
    if (before !== "") path.replies(`${before}\r\n`);
    path.replies("WATCH other k\r\n");
    path.replies(`${change}\r\n`);
    assert.equal(
      path.replies("MULTI\r\nSET done 1\r\nEXEC\r\nEXISTS done\r\n"),
      "+OK\r\n+QUEUED\r\n*-1\r\n:0\r\n",
      change,
    );
    assert.equal(path.replies("MULTI\r\nPING\r\nEXEC\r\n"), "+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n");
    assert.equal(watches(path), 0);
  }
});

Deno.test("WATCH is not broken by what changes nothing of the key", () => {
  for (
    const [before, change] of [
      ["SET k 1", "GET k"],
      ["SET k 1", "SETNX k 2"],
      ["SET k 1", "SET k 2 NX"],
      ["SET k 1", "SET other 2"],
      ["SET k 1", "GETEX k"],
      ["SET k 1", "TOUCH k"],
      ["", "DEL k"],
      ["", "EXPIRE k 10"],
      ["", "FLUSHALL"],
      ["", "SWAPDB 0 1"],
      ["SET k 1", "SWAPDB 2 3"],
      ["SET k 1", "UNWATCH\r\nSET k 2"],
    ]
  ) {
    const path = new EnginePath();
    if (before !== "") path.replies(`${before}\r\n`);
    path.replies("WATCH k\r\n");
    path.replies(`${change}\r\n`);
    assert.equal(
      path.replies("MULTI\r\nPING\r\nEXEC\r\n"),
      "+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n",
      change,
    );
    assert.equal(watches(path), 0);
  }
});

Deno.test("WATCH of more keys than a bucket of the table holds still notices each change", () => {
  const path = new EnginePath();
  const keys = Array.from({ length: 3000 }, (_, i) => `key:${i}`);
  for (const changed of ["key:0", "key:1777", "key:2999"]) {
    path.replies(`WATCH ${keys.join(" ")}\r\n`);
    path.replies(`INCR ${changed}\r\n`);
    assert.equal(path.replies("MULTI\r\nPING\r\nEXEC\r\n"), "+OK\r\n+QUEUED\r\n*-1\r\n");
    assert.equal(watches(path), 0);
  }
});

Deno.test("WATCH and EXEC of as many keys as may be watched take no time that grows with their square", () => {
  const path = new EnginePath();
  const beganMs = performance.now();
  for (let i = 0; i < 32; i++) {
    const keys = Array.from({ length: 2048 }, (_, k) => `k:${i * 2048 + k}`);
    assert.equal(path.replies(`WATCH ${keys.join(" ")}\r\n`), "+OK\r\n");
  }
  assert.equal(path.replies("WATCH one-more\r\n"), "-ERR too many watched keys\r\n");
  assert.equal(path.replies("MULTI\r\nPING\r\nEXEC\r\n"), "+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n");
  assert.equal(watches(path), 0);
  assert.ok(performance.now() - beganMs < 10_000);
});

Deno.test("a session's end lets go of what it has queued and watched", () => {
  const path = new EnginePath();
  path.replies("WATCH a b\r\nMULTI\r\nSET a 1\r\n");
  assert.notEqual(watches(path), 0);
  path.end();
  assert.equal(watches(path), 0);
  assert.equal(path.replies("PING\r\n"), "+PONG\r\n");
});

Deno.test("a transaction that is too large is refused and forgotten", () => {
  const path = new EnginePath();
  path.replies("MULTI\r\n");
  const value = "v".repeat(60_000),
    reply = "-ERR transaction is too large: more than 67108864 bytes are queued\r\n";
  let refused = 0;
  for (let i = 0; i < 1200; i++) if (path.replies(`SET k${i} ${value}\r\n`) === reply) refused++;
  assert.ok(refused > 0 && refused < 1000, `${refused} refused`);
  assert.match(path.replies("EXEC\r\n"), /^-EXECABORT /);
  assert.equal(path.replies("DBSIZE\r\n"), ":0\r\n");
});

/** Watches over all shards. */
function watches(path: EnginePath): number {
  return path.engine.store.watchCount();
}
