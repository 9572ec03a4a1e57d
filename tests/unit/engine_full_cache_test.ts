// Changes that reply with the old value, over a full cache that lets entries go for them: one worker's engine.
import assert from "node:assert/strict";
import { EnginePath } from "../support/engine_path.ts";
import { randomFrom } from "../support/store_access.ts";

const KEYS = 60, BATCHES = 1_200, COMMANDS = 5;

Deno.test("GETSET and SET GET of large values take their replies back where entries are let go for them", () => {
  const path = new EnginePath(null, ["--maxmemory", "16mb"]), random = randomFrom(7);
  const model = new Map<string, string>();
  let met = 0;
  for (let batch = 0; batch < BATCHES; batch++) {
    const expected: string[] = [], commands: string[] = [];
    for (let i = 0; i < COMMANDS; i++) {
      // Too large for a record, and not: then the old value is sent from where it lies, and the new one needs room.
      const length = i === 0 ? 17_000 + random.below(12_000) : 10 + random.below(8_000);
      const value = String.fromCharCode(97 + (batch + i) % 26).repeat(length);
      if (random.below(4) === 0) {
        commands.push(`SET small:${batch}:${i} ${value}`);
        expected.push("\\+OK");
        continue;
      }
      const key = `big:${random.below(KEYS)}`, old = model.get(key) ?? "";
      commands.push(i % 2 === 0 ? `GETSET ${key} ${value}` : `SET ${key} ${value} GET`);
      expected.push(`\\$(?:-1|${old.length}\r\n${old.slice(0, 1)}{${old.length}})`);
      model.set(key, value);
    }
    const replies = path.longReplies(new TextEncoder().encode(`${commands.join("\r\n")}\r\n`));
    assert.match(replies, new RegExp(`^${expected.join("\r\n")}\r\n$`), `batch ${batch}`);
    met += replies.split("\r\n").filter((line) => /^\$\d{5}/.test(line)).length;
  }
  assert.ok(met > BATCHES / 10, `${met} large values were replied`);
});
