// A redis-server on a free port, for tests that compare with it; it keeps nothing.
import { connect } from "./resp_client.ts";
import { freePort } from "./server.ts";

const START_TIMEOUT_MS = 10_000;

/** Starts it and waits until it accepts connections. */
export async function startRedis(): Promise<
  { port: number; [Symbol.asyncDispose](): Promise<void> }
> {
  const port = freePort();
  const directory = await Deno.makeTempDir({ prefix: "mayfly-redis-" });
  const child = new Deno.Command("redis-server", {
    args: ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--dir", directory],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      (await connect(port)).close();
      break;
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  return {
    port,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await Deno.remove(directory, { recursive: true });
    },
  };
}
