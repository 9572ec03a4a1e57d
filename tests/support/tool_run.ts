// Runs a tool of the executable in the test's own process, and keeps what it prints.
import { runTool } from "../../src/cli/tools.ts";

export interface ToolRun {
  readonly code: number;
  readonly stdout: string;
  readonly error: string;
  /** Lines of progress. */
  readonly shown: readonly string[];
}

export async function runHere(...args: readonly string[]): Promise<ToolRun> {
  let stdout = "";
  const shown: string[] = [];
  const end = await runTool(args, {
    print: (text) => stdout += text,
    progress: (line) => shown.push(line),
  });
  return { code: end.exitCode, stdout, error: end.error ?? "", shown };
}
