// The server's worker with faults in place of two rare commands: FLUSHALL throws within the store,
// FLUSHDB throws in a timer, so outside of any command. The rest is as in the product.

import { Store } from "../../src/store/store.ts";

const ALL_DATABASES = -1;

Store.prototype.flush = (database: number) => {
  if (database === ALL_DATABASES) throw new Error("fault 4711 within a command");
  setTimeout(() => {
    throw new Error("fault 4712 in a timer");
  });
};
await import("../../src/worker.ts");
