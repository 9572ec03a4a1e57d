// Turns deno.json's `serve` task into the arguments of a direct start, so that the started process
// is the server itself; knows no processes.

/**
 * The arguments for the Deno executable that the `serve` task of this deno.json text stands for,
 * beginning with `run`. Throws when the task is absent or is more than one plain `deno run`
 * command.
 */
export function serveTaskArguments(denoJsonText: string): string[] {
  const config = JSON.parse(denoJsonText) as {
    tasks?: Record<string, string | { command?: string }>;
  };
  const task = config.tasks?.["serve"];
  const command = typeof task === "string" ? task : task?.command;
  if (command === undefined) throw new Error("Cannot start mayfly: deno.json has no task `serve`");
  const words = splitWords(command);
  if (words[0] !== "deno" || words[1] !== "run") {
    throw new Error(
      `Cannot start mayfly: the task \`serve\` is not a plain \`deno run\`: received "${command}"`,
    );
  }
  return words.slice(1);
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
