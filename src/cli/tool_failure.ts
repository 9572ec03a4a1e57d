// How a tool says with which exit code it ends; knows no tool.

/** Thrown by a tool; the message is one line. */
export class ToolFailure extends Error {
  constructor(readonly exitCode: number, message: string) {
    super(message);
  }
}
