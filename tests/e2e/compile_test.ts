// The executable and the container: what `deno task compile` embeds, and what the Dockerfile builds on.

import assert from "node:assert/strict";
import { compileArguments, downloadHint } from "../../tools/compile.ts";
import { THREAD_ENTRIES } from "../../tools/layout_rules.ts";
import { permissionFlags, readServeTask, ROOT } from "../support/serve_task.ts";

Deno.test("deno task compile embeds every thread's entry, and neither tests nor documents", async () => {
  const directory = await Deno.makeTempDir({ prefix: "mayfly-compile-" });
  try {
    const output = `${directory}/mayfly`;
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "tools/compile.ts", output],
      cwd: ROOT,
      // Any executable can stand for the runtime as long as nobody runs what comes out.
      env: { DENORT_BIN: Deno.execPath(), NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assert.equal(code, 0, text);
    assert.ok((await Deno.stat(output)).size > 1_000_000);
    const tree = text.slice(text.indexOf("Embedded Files"));
    for (const name of ["main.ts", "worker.ts", "commander", "logtape", "dashboard", "uplot"]) {
      assert.ok(tree.includes(name), `${name} is not embedded:\n${tree}`);
    }
    for (
      const name of [
        "tests",
        "bench/",
        "README",
        "Dockerfile",
        "fast-check",
        "playwright",
        "axe-core",
        "tools",
      ]
    ) {
      assert.ok(!tree.includes(name), `${name} is embedded:\n${tree}`);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("every thread that main.ts starts is one of the layout's entries", () => {
  const text = Deno.readTextFileSync(`${ROOT}src/main.ts`);
  const started = [...text.matchAll(/new URL\("\.\/([a-z_]+\.ts)", import\.meta\.url\)/g)]
    .map((match) => `src/${match[1]}`);
  assert.ok(started.includes("src/worker.ts"), started.join(" "));
  for (const path of started) assert.ok(THREAD_ENTRIES.includes(path), path);
});

Deno.test("compileArguments() grants what serve is granted and includes each entry that is there", () => {
  const task = readServeTask();
  const args = compileArguments(task, (path) => path !== "src/keeper.ts", "out");
  for (const flag of permissionFlags(task)) assert.ok(args.includes(flag), flag);
  assert.ok(!args.includes("-A") && !args.includes("--allow-all"));
  const included = args.filter((_, i) => args[i - 1] === "--include");
  assert.deepEqual(included, ["src/worker.ts", "src/log_worker.ts"]);
  assert.throws(
    () => compileArguments("deno run -A x.ts", () => true, "out"),
    /Cannot parse the serve task/,
  );
});

Deno.test("deno task compile ends with 1 where no executable can be made", async () => {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "tools/compile.ts", "/nonexistent/folder/mayfly"],
    cwd: ROOT,
    env: { DENORT_BIN: "/nonexistent/denort", NO_COLOR: "1" },
  }).output();
  assert.equal(code, 1);
  assert.doesNotMatch(new TextDecoder().decode(stdout), /^compiled/m);
});

Deno.test("downloadHint() says how to give the runtime where it could not be downloaded, and only there", () => {
  const said =
    "error sending request for url (.../release/v1.2.3/denort-x86_64-unknown-linux-gnu.zip)";
  assert.match(
    downloadHint(said, "1.2.3")!,
    /denort of Deno 1\.2\.3[^]*DENORT_BIN=\S+ deno task compile/,
  );
  assert.equal(downloadHint("TS2304 [ERROR]: Cannot find name 'x'.", "1.2.3"), null);
});

Deno.test("Dockerfile copies what is there, runs as a user without rights and checks its health", async () => {
  const text = (await Deno.readTextFile(`${ROOT}Dockerfile`)).replace(/\\\n\s*/g, " ");
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const of = (word: string) =>
    lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
  const [build, last] = of("FROM");
  assert.match(build, / AS build$/);
  assert.doesNotMatch(last, /node|deno/, "the last stage holds the executable, not the tools");
  const ignored = await Deno.readTextFile(`${ROOT}.dockerignore`);
  for (const copy of of("COPY").filter((each) => !each.startsWith("--from="))) {
    for (const source of copy.split(" ").slice(0, -1)) {
      await Deno.stat(`${ROOT}${source}`);
      assert.ok(ignored.includes(`\n!${source}\n`), `${source} is ignored`);
    }
  }
  const { tasks } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  for (const run of of("RUN")) {
    const task = /deno task (\S+)/.exec(run)?.[1];
    if (task !== undefined) assert.ok(task in tasks, task);
  }
  // The version that the tests run with is the one that is compiled.
  assert.ok(of("RUN").some((run) => run.includes(`deno@${Deno.version.deno}`)));
  assert.deepEqual(of("USER"), ["mayfly"]);
  assert.deepEqual(of("ENTRYPOINT"), ['["mayfly"]']);
  assert.match(of("HEALTHCHECK")[0], /CMD \["mayfly", "ping"\]$/);
  assert.deepEqual(of("STOPSIGNAL"), ["SIGTERM"]);
  assert.deepEqual(of("VOLUME"), ["/data"]);
  assert.ok(
    lines.indexOf("USER mayfly") < lines.findIndex((line) => line.startsWith("ENTRYPOINT")),
  );
});
