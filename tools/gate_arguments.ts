// What the gate was asked for on its command line: a run, its help, or a mistake in words. It starts nothing.

import { type Mode, MODES } from "./gate_steps.ts";

const HELP = `usage: deno task ${MODES.join("|")}, without arguments

  quick  format, lint, types, unit tests
  test   and the contract, e2e, crash and sim tests
  ok     and the benches at toy size

One file: deno test -A --no-check tests/e2e/protocol_test.ts
A skipped test counts as failed with CI=true in the environment.`;

/** The mode alone; \`--help\` anywhere gives the help, and anything else what was wrong, with the help. */
export function readGateArguments(
  args: readonly string[],
): { readonly mode: Mode } | { readonly text: string; readonly isHelp: boolean } {
  if (args.includes("--help") || args.includes("-h")) return { text: HELP, isHelp: true };
  const mode = MODES.find((each) => each === args[0]);
  if (mode !== undefined && args.length === 1) return { mode };
  const wrong = mode === undefined ? args[0] ?? "nothing" : args.slice(1).join(" ");
  return { text: `cannot run the gate: received ${wrong}\n${HELP}`, isHelp: false };
}
