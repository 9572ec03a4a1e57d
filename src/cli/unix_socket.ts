// Proves before the workers listen that the path of --unix-socket can be had; a killed server's file is removed.

/** Null if the path is free now, else one line that says why it is not. */
export async function freeUnixSocket(path: string): Promise<string | null> {
  const named = `--unix-socket ${JSON.stringify(path)}`;
  try {
    const { isSocket } = await Deno.lstat(path);
    if (!isSocket) return `${named} is there and no socket; choose another path`;
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? null : `${named}: ${reasonOf(error)}`;
  }
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return `${named} is in use: a server answers there`;
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionRefused)) return `${named}: ${reasonOf(error)}`;
  }
  try {
    await Deno.remove(path);
    return null;
  } catch (error) {
    return `${named} is left from a server that was killed, and cannot be removed: ${
      reasonOf(error)
    }`;
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotCapable) {
    return "started without read and write permission for it";
  }
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  return error instanceof Error ? error.message.split("\n")[0] : String(error);
}
