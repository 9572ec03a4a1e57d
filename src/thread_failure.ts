// What a thread does with an error that nobody caught: main is told, in one line instead of Deno's own many, and ends
// the process.

/** The error with its stack, as far as it has one. */
export function failureText(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

/** Has `tell` called with every error of this thread that nothing catches. */
export function tellFailures(tell: (text: string) => void): void {
  addEventListener("error", (event) => {
    event.preventDefault();
    tell(failureText(event.error));
  });
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    tell(failureText(event.reason));
  });
}
