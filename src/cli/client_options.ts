// How the executable's client tools reach a server: address, password, and the connection made of them.
import { type Command, InvalidArgumentError, Option } from "commander";
import { readPasswordFile } from "./password_file.ts";

export interface ClientOptions {
  readonly host: string;
  readonly port: number;
  readonly unixSocket?: string;
  readonly passwordFile?: string;
}

const PORT_MAX = 65_535;

/** Adds the options that all client tools have. */
export function addClientOptions(command: Command): Command {
  return command
    .option("--host <address>", "address of the server", "127.0.0.1")
    .addOption(
      // As the server's own: a health check beside a server that was moved by it asks the right port.
      new Option("--port <number>", "its TCP port").env("MAYFLY_PORT")
        .argParser(wholeNumber(1, PORT_MAX)).default(6379),
    )
    .option("--unix-socket <path>", "its unix socket, instead of address and port")
    .option("--password-file <path>", "file that holds the password, - is standard input");
}

/** A parser of whole numbers for commander, whose error says the bounds. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : -1;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

/**
 * The password of the file, or of the server's own variables, so that a health check beside it knows it; null for
 * none. Throws in one line.
 */
export function clientPassword(options: ClientOptions): string | null {
  const path = options.passwordFile ?? Deno.env.get("MAYFLY_REQUIREPASS_FILE");
  if (!path) return Deno.env.get("MAYFLY_REQUIREPASS") || null;
  const read = readPasswordFile(path);
  if ("error" in read) throw new Error(read.error.replace("--requirepass-file", "--password-file"));
  return read.ok;
}

export type ClientSocket = Deno.TcpConn | Deno.UnixConn;

/** A connection; commands are not yet authenticated. Throws Deno's errors. */
export async function openClient(options: ClientOptions): Promise<ClientSocket> {
  if (options.unixSocket !== undefined) {
    return await Deno.connect({ transport: "unix", path: options.unixSocket });
  }
  const socket = await Deno.connect({ hostname: options.host, port: options.port });
  socket.setNoDelay(true);
  return socket;
}

/** Where the tool went, for messages. */
export function clientTarget({ host, port, unixSocket }: ClientOptions): string {
  return unixSocket ?? `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

const encoder = new TextEncoder();

/** A command as RESP bytes. */
export function encodeRequest(words: readonly string[]): Uint8Array {
  const parts = words.map((word) => `$${encoder.encode(word).length}\r\n${word}\r\n`);
  return encoder.encode(`*${words.length}\r\n${parts.join("")}`);
}

/** Writes every byte; the buffer must not change until it resolves. */
export async function writeAll(socket: ClientSocket, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at));
}
