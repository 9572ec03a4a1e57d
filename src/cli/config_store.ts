// Reads the file that --config names, and writes it anew for CONFIG REWRITE; it knows no setting.

/** A longer file is no configuration. */
const FILE_BYTES_MAX = 1_048_576;

/** The file's text; the error is one line that names it. */
export function readConfigText(
  path: string,
): { readonly ok: string } | { readonly error: string } {
  try {
    const bytes = Deno.readFileSync(path);
    if (bytes.length > FILE_BYTES_MAX) {
      return { error: `--config ${JSON.stringify(path)} is longer than ${FILE_BYTES_MAX} bytes` };
    }
    return { ok: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch (error) {
    return { error: `cannot read --config ${JSON.stringify(path)}: ${reasonOf(error)}` };
  }
}

/** Replaces the file's text: a crash leaves the old one or the new one. Throws with a reason in one line. */
export function writeConfigText(path: string, text: string): void {
  let temporary = "";
  try {
    // The file itself, where the path is a link to it; and for nobody else's eyes: it may hold a password.
    const target = Deno.realPathSync(path);
    temporary = `${target}.${Deno.pid}.tmp`;
    const file = Deno.openSync(temporary, {
      write: true,
      create: true,
      truncate: true,
      mode: 0o600,
    });
    try {
      const bytes = new TextEncoder().encode(text);
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      file.syncSync();
    } finally {
      file.close();
    }
    const mode = Deno.statSync(target).mode;
    if (mode !== null) Deno.chmodSync(temporary, mode & 0o777);
    Deno.renameSync(temporary, target);
  } catch (error) {
    try {
      Deno.removeSync(temporary);
    } catch {
      // It was not made.
    }
    throw new Error(`Rewriting config file: ${reasonOf(error)}`, { cause: error });
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.NotCapable) return "started without the permission for it";
  if (error instanceof TypeError) return "not UTF-8 text";
  return error instanceof Error ? error.message.split("\n")[0] : String(error);
}
