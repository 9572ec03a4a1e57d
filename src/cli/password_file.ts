// Reads the password that --requirepass-file names, at start and once; it knows nothing of AUTH.

import { isPassword } from "../config_flags.ts";

/** A longer file is no password; 512 characters of UTF-8 and a line end fit. */
const FILE_BYTES_MAX = 4096;

/**
 * The file's one line, `-` is standard input; the error is one line that names the file and the
 * remedy and never shows what is in it.
 */
export function readPasswordFile(
  path: string,
): { readonly ok: string } | { readonly error: string } {
  const name = path === "-" ? "standard input" : JSON.stringify(path);
  let text: string;
  try {
    text = readBounded(path);
  } catch (error) {
    return { error: `cannot read --requirepass-file ${name}: ${reasonOf(error)}` };
  }
  const password = text.replace(/\r?\n$/, "");
  if (!isPassword(password)) {
    return {
      error: `--requirepass-file ${name} must hold one line of 1 to 512 characters, the password`,
    };
  }
  return { ok: password };
}

function readBounded(path: string): string {
  const file = path === "-" ? Deno.stdin : Deno.openSync(path, { read: true });
  const bytes = new Uint8Array(FILE_BYTES_MAX);
  let length = 0;
  try {
    while (length < bytes.length) {
      const count = file.readSync(bytes.subarray(length));
      if (count === null || count === 0) break;
      length += count;
    }
  } finally {
    if (file !== Deno.stdin) file.close();
  }
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, length));
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.NotCapable) return "started without --allow-read for it";
  if (error instanceof TypeError) return "not UTF-8 text";
  return error instanceof Error ? error.message.split("\n")[0]! : String(error);
}
