// A thread of the server, whichever it is, with a clock that is put back: see stepped_server.ts.
import { stepClock } from "./stepped_clock.ts";

const scope = self as unknown as { onmessage: (event: MessageEvent) => void };
const { searchParams } = new URL(import.meta.url);
stepClock(Number(searchParams.get("at")));
// What is said before the thread's own code hears it.
const early: MessageEvent[] = [];
scope.onmessage = (event) => early.push(event);
await import(searchParams.get("run")!);
for (const event of early) scope.onmessage(event);
