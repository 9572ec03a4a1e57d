// `mayfly ping`: asks a server whether it serves, for health checks; the answer is the exit code.
import { Command } from "commander";
import {
  addClientOptions,
  type ClientOptions,
  clientPassword,
  type ClientSocket,
  clientTarget,
  encodeRequest,
  openClient,
  wholeNumber,
  writeAll,
} from "./client_options.ts";

interface PingOptions extends ClientOptions {
  readonly timeout: number;
}

const TIMEOUT_MS_MAX = 600_000;
const REPLY_BYTES_MAX = 4096;

/** The command, which prints `PONG`, or throws why the server does not serve, in one line. */
export function pingCommand(print: (text: string) => void): Command {
  return addClientOptions(new Command("ping"))
    .description("Ask a server whether it serves; exit code 0 if it does, 1 if not.")
    .option("--timeout <ms>", "give up after so long", wholeNumber(1, TIMEOUT_MS_MAX), 1000)
    .action(async (options: PingOptions) => {
      await ping(options);
      print("PONG\n");
    });
}

async function ping(options: PingOptions): Promise<void> {
  const password = clientPassword(options), target = clientTarget(options);
  let socket: ClientSocket | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${target} did not answer within ${options.timeout} ms`)),
      options.timeout,
    );
  });
  const asked = (async () => {
    socket = await openClient(options).catch((error: Error) => {
      throw new Error(`cannot reach ${target}: ${error.message.split("\n")[0]}`);
    });
    if (password !== null) expect(await ask(socket, ["AUTH", password]), "+OK");
    expect(await ask(socket, ["PING"]), "+PONG");
  })();
  try {
    await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
    // What goes on after the time is over ends with the socket, and nobody waits for it.
    asked.catch(() => {});
    (socket as ClientSocket | null)?.close();
  }
}

function expect(reply: string, wanted: string): void {
  if (reply !== wanted) throw new Error(`the server answered ${JSON.stringify(reply)}`);
}

/** The first line of the reply. */
async function ask(socket: ClientSocket, words: readonly string[]): Promise<string> {
  await writeAll(socket, encodeRequest(words));
  const bytes = new Uint8Array(REPLY_BYTES_MAX);
  let length = 0;
  while (length < bytes.length) {
    const count = await socket.read(bytes.subarray(length));
    if (count === null) throw new Error("the server closed the connection");
    length += count;
    const text = new TextDecoder().decode(bytes.subarray(0, length)), end = text.indexOf("\r\n");
    if (end >= 0) return text.slice(0, end);
  }
  throw new Error("the server's answer is too long");
}
