// The replies that commands wrote as JSON, as an answer; knows no route.
import { COUNTER } from "../../metrics.ts";
import type { JsonFrame, JsonWriter } from "../../protocol/json_writer.ts";
import type { HttpSession } from "./http_session.ts";
import type { HttpTools } from "./http_tools.ts";
import { takeJsonBody } from "./json_body.ts";
import { commandProblem, problem } from "./problem.ts";

/** One header alone is quick to make: others cost 3 µs. Browsers never take JSON for anything else. */
export const JSON_INIT = { headers: { "content-type": "application/json" } };
export const REPLIES_TOO_LARGE = "the replies are longer than --client-output-bytes-max";
/** Around the values that MGET replies. */
export const VALUES_FRAME: JsonFrame = { result: '{"values":', error: "", end: "}" };

/** Ends the session of a request, and gives the writer back. The error of a command that is no list's is a problem. */
export function jsonReply(
  { runner, writers, downloads, counters }: HttpTools,
  session: HttpSession,
  writer: JsonWriter,
  isList: boolean,
): Response {
  runner.forget(session);
  let response: Response;
  if (session.isKilled) response = problem("reply-too-large", REPLIES_TOO_LARGE);
  else if (!isList && writer.errorText !== null) response = commandProblem(writer.errorText);
  else {
    // CLIENT REPLY OFF: nothing was said.
    if (!isList && writer.count === 0) writer.nil();
    if (isList) writer.raw("]");
    const lastBytes = writer.out.position, body = takeJsonBody(writer, downloads);
    // A stream counts as it is read.
    if (typeof body === "string") counters[COUNTER.bytesOut] += lastBytes;
    else if (body instanceof Uint8Array) counters[COUNTER.bytesOut] += body.length;
    response = new Response(body, JSON_INIT);
  }
  writers.giveJson(writer);
  return response;
}
