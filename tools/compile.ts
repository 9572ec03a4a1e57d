// `deno task compile`: makes the one executable out of the server, its threads' entries and their permissions.
//
// The permissions are those of the `serve` task, read from deno.json, so that there is one list. Threads are found
// by their entry files, because `deno compile` does not follow `new Worker(new URL(...))`.

import { THREAD_ENTRIES } from "./layout_rules.ts";
import { permissionFlags, readServeTask, ROOT } from "./serve_task.ts";

const DEFAULT_OUTPUT = "dist/mayfly";
const MAIN = "src/main.ts";

/** The arguments for Deno that compile the tree whose `serve` task this is. Throws if the task has another shape. */
export function compileArguments(
  serveTask: string,
  exists: (path: string) => boolean,
  output: string,
): string[] {
  const entries = THREAD_ENTRIES.filter((path) => path !== MAIN && exists(path))
    .flatMap((path) => ["--include", path]);
  return [
    "compile",
    "--frozen",
    "--exclude-unused-npm",
    ...permissionFlags(serveTask),
    ...entries,
    "--output",
    output,
    MAIN,
  ];
}

/** What to do, if what Deno said is that it could not have the runtime which the executable begins with; else null. */
export function downloadHint(said: string, version: string): string | null {
  if (!/\bdenort\b/.test(said)) return null;
  return `
No executable was made. \`deno compile\` puts the program behind a runtime of its own (denort), which it downloads
once. Where it cannot, as on a machine without access, unpack denort of Deno ${version} for your platform from the
release on another machine, and say where it is:

    DENORT_BIN=/path/to/denort deno task compile
`;
}

async function compile(): Promise<number> {
  const output = Deno.args[0] ?? DEFAULT_OUTPUT;
  const exists = (path: string) => {
    try {
      return Deno.statSync(`${ROOT}${path}`).isFile;
    } catch {
      return false;
    }
  };
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: compileArguments(readServeTask(), exists, output),
    cwd: ROOT,
    stdin: "null",
    stdout: "inherit",
    stderr: "piped",
  }).output();
  await Deno.stderr.write(stderr);
  if (code !== 0) {
    const hint = downloadHint(new TextDecoder().decode(stderr), Deno.version.deno);
    if (hint !== null) console.error(hint);
    return 1;
  }
  console.log(`compiled ${output}`);
  return 0;
}

if (import.meta.main) Deno.exit(await compile());
