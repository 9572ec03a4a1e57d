// `mayfly wal ...`: tools for the directory of a server that does not run; says what there is, does none of it.
import { Command, CommanderError } from "commander";
import type { ToolOutput } from "./tools.ts";
import { walDump } from "./wal_dump.ts";
import { walLoad } from "./wal_load.ts";
import { walRepair } from "./wal_repair.ts";
import { walVerify } from "./wal_verify.ts";

const EXIT_CODES = `
Exit codes: 0 done, and the directory is whole; 1 it could not be done; 2 wrong command line;
3 the log ends torn, as after a crash: a start cuts the tear off (verify, dump); 4 damage: a start is
refused (verify, dump). The server must be stopped.`;

/** The command with its four tools. */
export function walCommand(output: ToolOutput): Command {
  const wal = new Command("wal").description("Check, print, make or repair a data directory.")
    .argument("[tool]").addHelpText("after", EXIT_CODES);
  wal.addCommand(
    new Command("verify").argument("<directory>")
      .description("Check every frame of log and snapshot; tell damage with file and offset.")
      .action((directory: string) => walVerify(directory, output)),
  );
  wal.addCommand(
    new Command("dump").argument("<directory>")
      .description("Print all effects as lines of JSON: the snapshot's first, then the log's.")
      .action((directory: string) => walDump(directory, output)),
  );
  wal.addCommand(
    new Command("load").argument("<file>").argument("<directory>")
      .description("Make a new directory of such lines; - reads standard input.")
      .action((file: string, directory: string) => walLoad(file, directory, output)),
  );
  wal.addCommand(
    new Command("repair").argument("<directory>").argument("<new-directory>")
      .description("Copy what is whole, up to the first damage, into a new directory.")
      .action((directory: string, into: string) => walRepair(directory, into, output)),
  );
  const names = wal.commands.map((each) => each.name()).join(", ");
  return wal.action(() => {
    throw new CommanderError(2, "mayfly.wal", `mayfly wal needs one of: ${names}`);
  });
}
