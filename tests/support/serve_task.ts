// The permission flags of the `serve` task in deno.json, so that tests run the server with exactly
// what users grant it. It must not start anything.

/** Folder that holds deno.json. */
export const ROOT = new URL("../../", import.meta.url).pathname;

/**
 * The arguments between `deno run` and the main module in a `serve` task. Throws where the task has
 * another shape, because then the tests would run something that users do not.
 */
export function permissionFlags(task: string): string[] {
  const match = /^deno run ((?:--\S+ )*)src\/main\.ts serve$/.exec(task);
  if (match === null) {
    throw new Error(`Cannot parse the serve task: expected "deno run <flags> src/main.ts serve": \
received ${JSON.stringify(task)}`);
  }
  return match[1]!.split(" ").filter((flag) => flag !== "");
}

/** The serve task of this tree's deno.json. */
export function readServeTask(): string {
  const config = JSON.parse(Deno.readTextFileSync(`${ROOT}deno.json`));
  return config.tasks.serve;
}
