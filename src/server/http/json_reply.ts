// The replies that commands wrote as JSON, as an answer; knows no route.
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
  { runner, writers, downloads }: HttpTools,
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
    response = new Response(takeJsonBody(writer, downloads), JSON_INIT);
  }
  writers.giveJson(writer);
  return response;
}
