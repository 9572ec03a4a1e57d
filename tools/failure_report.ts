// Cuts from a test step's output what says why it is red. Pure: it must not know how it was run.

/**
 * The part of `deno test`'s output (without colours) that names each failed test and its error. The
 * whole output where there is no such part, as after a crash. A report of hundreds of green titles
 * may be cut by whoever shows it, and the reason stands at its end.
 */
export function failureReport(output: string): string {
  const errors = output.search(/^ ERRORS *$/m);
  return errors === -1 ? output : output.slice(errors);
}
