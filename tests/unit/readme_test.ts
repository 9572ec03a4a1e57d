// The README says what there is: its tables come from the code, and every flag and task stands in it.

import assert from "node:assert/strict";
import { FLAG_NAMES } from "../../src/config_flags.ts";
import { withTables } from "../../tools/readme_commands.ts";
import { ROOT } from "../support/serve_task.ts";

const readme = await Deno.readTextFile(`${ROOT}README.md`);

Deno.test("README's tables of commands are those of the rows", () => {
  assert.equal(readme, withTables(readme), "run: deno run -A tools/readme_commands.ts --write");
});

Deno.test("README names every flag in its table, and every task", async () => {
  for (const name of FLAG_NAMES) {
    if (name === "requirepass") continue; // it is told in prose: it cannot stand on the command line
    assert.match(readme, new RegExp(`^\\| \`--${name} `, "m"), name);
  }
  const { tasks } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  for (const task of Object.keys(tasks)) {
    if (task === "fmt" || task === "lint") continue; // parts of `quick`
    assert.match(readme, new RegExp(`task ${task}\\b`), task);
  }
});

Deno.test("README shows files that are there", async () => {
  for (const [, path] of readme.matchAll(/\]\((?!https?:|#)([^)]+)\)/g)) {
    await Deno.stat(`${ROOT}${path}`);
  }
  for (const [, path] of readme.matchAll(/srcset="([^"]+)"|src="([^"]+)"/g)) {
    if (path !== undefined) await Deno.stat(`${ROOT}${path}`);
  }
});
