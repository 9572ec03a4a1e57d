// Finds the programs that a test needs. A test without its program is skipped with a reason, which
// the gate prints, and counts as failed under CI=true. It must not know how to install anything.

/** Spread into a test's definition: `Deno.test({ name, ...needs("redis-cli"), fn })`. */
export interface Need {
  readonly ignore: boolean;
  /** Why the test is skipped; empty where it runs. */
  readonly reason: string;
}

const told = new Set<string>();

/**
 * Looks for every one of `programs` on PATH; `a|b` means that either will do. Prints one line per
 * missing program and process.
 */
export function needs(...programs: string[]): Need {
  const missing = missingPrograms(programs);
  if (missing.length === 0) return { ignore: false, reason: "" };
  const reason = `needs: ${missing.join(", ")} is not on PATH`;
  if (!told.has(reason)) console.log(reason);
  told.add(reason);
  return { ignore: true, reason };
}

/** The system's Python, to which packages of the system belong; another may come first on PATH. */
const PYTHONS = ["/usr/bin/python3", "python3"];

/** The Python 3 that has the module; null: none has. */
export function pythonWith(name: string): string | null {
  const args = ["-c", `import ${name}`], run = { args, stdout: "null", stderr: "null" } as const;
  return PYTHONS.find((path) => {
    try {
      return new Deno.Command(path, run).outputSync().success;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }) ?? null;
}

/** The same for a module of Python 3. */
export function needsPythonModule(name: string): Need {
  if (pythonWith(name) !== null) return { ignore: false, reason: "" };
  const reason = `needs: python3 has no module ${name}`;
  if (!told.has(reason)) console.log(reason);
  told.add(reason);
  return { ignore: true, reason };
}

/** Those of `programs` of which no alternative is on PATH. */
export function missingPrograms(programs: readonly string[]): string[] {
  return programs.filter((choice) => choice.split("|").every((name) => findProgram(name) === null));
}

/** Path of the first executable file called `name` in the folders of `path`, or null. */
export function findProgram(
  name: string,
  path: string = Deno.env.get("PATH") ?? "",
): string | null {
  for (const folder of path.split(":")) {
    if (folder === "") continue;
    try {
      const info = Deno.statSync(`${folder}/${name}`);
      if (info.isFile && ((info.mode ?? 0) & 0o111) !== 0) return `${folder}/${name}`;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory)) {
        throw error;
      }
    }
  }
  return null;
}

/**
 * Whether a small file system in memory can be mounted here. That is a right and no program, so nothing that CI
 * installs can give it: a test that needs it is left out with the reason printed, and not counted as skipped.
 */
export function canMountTmpfs(): boolean {
  const path = Deno.makeTempDirSync();
  try {
    const run = (program: string, ...args: string[]) =>
      findProgram(program) !== null &&
      new Deno.Command(program, { args, stdout: "null", stderr: "null" }).outputSync().success;
    if (run("mount", "-t", "tmpfs", "-o", "size=1m", "mayfly-test", path)) {
      return run("umount", path);
    }
  } finally {
    Deno.removeSync(path);
  }
  const reason = "left out: a tmpfs cannot be mounted here (that takes root)";
  if (!told.has(reason)) console.log(reason);
  told.add(reason);
  return false;
}
