// Reads deno.json's `serve` task, the one place that says what the server is granted, for tests,
// benches and the compiled executable. It must not start anything.

/** Folder that holds deno.json. */
export const ROOT = new URL("../", import.meta.url).pathname;

/** The serve task of this tree's deno.json. */
export function readServeTask(): string {
  return serveTask(Deno.readTextFileSync(`${ROOT}deno.json`));
}

/**
 * The arguments for the Deno executable that the `serve` task of this deno.json text stands for,
 * beginning with `run`. Throws when the task is absent or is more than one plain `deno run`
 * command.
 */
export function serveTaskArguments(denoJsonText: string): string[] {
  const task = serveTask(denoJsonText);
  const words = splitWords(task);
  if (words[0] !== "deno" || words[1] !== "run") {
    throw new Error(
      `Cannot start mayfly: the task \`serve\` is not a plain \`deno run\`: received "${task}"`,
    );
  }
  return words.slice(1);
}

/**
 * The arguments between `deno run` and the main module in a `serve` task. Throws where the task has
 * another shape, because then something else would run than what users run.
 */
export function permissionFlags(task: string): string[] {
  const match = /^deno run ((?:--\S+ )*)src\/main\.ts serve$/.exec(task);
  if (match === null) {
    throw new Error(`Cannot parse the serve task: expected "deno run <flags> src/main.ts serve": \
received ${JSON.stringify(task)}`);
  }
  return splitWords(match[1]!);
}

function serveTask(denoJsonText: string): string {
  const config = JSON.parse(denoJsonText) as {
    tasks?: Record<string, string | { command?: string }>;
  };
  const task = config.tasks?.["serve"];
  const command = typeof task === "string" ? task : task?.command;
  if (command === undefined) throw new Error("Cannot start mayfly: deno.json has no task `serve`");
  return command;
}

// Shell words with single and double quotes; anything a shell would act on besides is refused, not
// guessed at.
function splitWords(command: string): string[] {
  const words: string[] = [];
  for (const [word] of command.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g)) {
    if (/[$`|&;<>\\]/.test(word)) {
      throw new Error(
        `Cannot start mayfly: the task \`serve\` needs a shell: received "${command}"`,
      );
    }
    words.push(word.replaceAll(/["']/g, ""));
  }
  return words;
}
