// Stands in the place of the accounts that the engine keeps of each batch, and keeps none: what they cost is what
// a server with these does not spend. For the benchmark alone; no flag of the server leaves them out.
import type { BatchAccounts } from "../../src/commands/batch_accounts.ts";
import type { Finish } from "../../src/commands/context.ts";
import type { Services } from "../../src/commands/services.ts";
import type { WorkerMetrics } from "../../src/metrics.ts";
import type { ReplyWriter } from "../../src/protocol/reply_writer.ts";

/** All that others see of BatchAccounts. */
type Accounts = Pick<BatchAccounts, keyof BatchAccounts>;

class SilentAccounts implements Accounts {
  isEach = false;
  notesLookups = false;
  readonly isMonitored = false;
  readonly aloneMs = 0;

  constructor(readonly services: Services, readonly metrics: WorkerMetrics) {}

  begin(): void {}
  cancel(): void {}
  endSingle(): void {}
  noteAlone(): void {}
  noteQueued(): void {}
  noteLookup(): void {}
  noteMonitored(): void {}
  end(): void {}

  countingLate(parked: Promise<Finish>): Promise<Finish> {
    return parked;
  }

  countErrors(reply: ReplyWriter): void {
    reply.out.errors.length = 0;
  }
}

export { SilentAccounts as BatchAccounts };
