// The executable's subcommands beside `serve`: runs the one that is named, and turns what went wrong into a line.
import { Command, CommanderError } from "commander";
import { benchCommand } from "./bench.ts";
import { pingCommand } from "./ping.ts";
import { ToolFailure } from "./tool_failure.ts";
import { walCommand } from "./wal.ts";

/** Names of subcommands, for who decides where a command line goes. */
export const TOOLS: readonly string[] = ["ping", "bench", "wal"];

export interface ToolOutput {
  print(text: string): void;
  /** A line that replaces the one before, null if nobody watches. */
  readonly progress: ((line: string) => void) | null;
}

/** How a tool ended; `error` is one line. */
export type ToolEnd = { readonly exitCode: number; readonly error?: string };

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** Runs the tool that `argv` begins with. */
export async function runTool(argv: readonly string[], output: ToolOutput): Promise<ToolEnd> {
  const program = new Command("mayfly").exitOverride();
  for (const tool of [pingCommand(output.print), benchCommand(output), walCommand(output)]) {
    for (const each of [tool, ...tool.commands]) {
      each.exitOverride().configureOutput({
        writeOut: output.print,
        writeErr: () => {},
        getOutHelpWidth: () => 100,
        getErrHelpWidth: () => 100,
        getOutHasColors: () => false,
        getErrHasColors: () => false,
      });
    }
    program.addCommand(tool);
  }
  try {
    await program.parseAsync([...argv], { from: "user" });
    return { exitCode: 0 };
  } catch (error) {
    const text = (error as Error).message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ");
    if (error instanceof ToolFailure) return { exitCode: error.exitCode, error: text };
    if (!(error instanceof CommanderError)) return { exitCode: EXIT_FAILED, error: text };
    return error.exitCode === 0 ? { exitCode: 0 } : { exitCode: EXIT_USAGE, error: text };
  }
}
