// The README's examples of curl, run as they stand there, against a server on another port.
import assert from "node:assert/strict";
import { needs } from "../support/needs.ts";
import { ROOT } from "../support/serve_task.ts";
import { startServer } from "../support/server.ts";

/** Commands of the README's blocks, each with the lines that follow it. */
function examples(readme: string): { command: string; expected: string }[] {
  const found: { command: string; expected: string }[] = [];
  for (const [, block] of readme.matchAll(/^```\n(\$ curl [^]*?)^```$/gm)) {
    for (const part of block.split(/^\$ /m).slice(1)) {
      const end = part.indexOf("\n");
      found.push({ command: part.slice(0, end), expected: part.slice(end + 1) });
    }
  }
  return found;
}

Deno.test({
  name: "README's examples of curl give what it says",
  ...needs("curl", "sh"),
  fn: async () => {
    const all = examples(await Deno.readTextFile(`${ROOT}README.md`));
    assert.ok(all.length >= 10, `only ${all.length} examples were found`);
    await using server = await startServer({ workers: 2 });
    for (const { command, expected } of all) {
      assert.ok(command.includes("127.0.0.1:7171"), command);
      const { stdout, stderr } = await new Deno.Command("sh", {
        args: ["-c", command.replace(":7171", `:${server.httpPort}`)],
      }).output();
      const decoder = new TextDecoder();
      // curl ends no line of its own behind a body.
      const text = decoder.decode(stdout).replace(/([^\n])$/, "$1\n");
      assert.equal(text, expected, `${command}\n${decoder.decode(stderr)}`);
    }
  },
});
