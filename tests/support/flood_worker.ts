// A client in a thread of its own that sends all it has without a pause, and reads what comes back; its own event loop
// would keep the test's from running.
import type { FloodOrder } from "./flood.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<FloodOrder>) => void;
  postMessage(message: unknown): void;
};

scope.onmessage = async ({ data: { port, request, times, replyBytes } }) => {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const read = async () => {
    const buffer = new Uint8Array(1 << 20);
    for (let left = times * replyBytes; left > 0;) {
      const count = await conn.read(buffer);
      if (count === null) throw new Error(`${left} bytes of replies did not come`);
      left -= count;
    }
  };
  const write = async () => {
    // So many at once as make a few MiB.
    const perWrite = Math.min(times, Math.ceil((4 << 20) / request.length));
    const bytes = new Uint8Array(perWrite * request.length);
    for (let i = 0; i < perWrite; i++) bytes.set(request, i * request.length);
    for (let left = times; left > 0; left -= perWrite) {
      const end = Math.min(left, perWrite) * request.length;
      for (let at = 0; at < end;) at += await conn.write(bytes.subarray(at, end));
    }
  };
  await Promise.all([read(), write()]);
  conn.close();
  scope.postMessage("done");
};
