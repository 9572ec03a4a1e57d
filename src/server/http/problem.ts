// Errors of HTTP as RFC 9457 has them, and which status an error reply of a command has; knows no route.

const PROBLEM_TYPE = "application/problem+json";

/** What can go wrong: status and title by the last part of the problem's `type`. */
const PROBLEMS = {
  "bad-request": [400, "Bad request"],
  "command-error": [400, "The command was refused"],
  "unauthorized": [401, "A password is needed"],
  "origin-refused": [403, "Requests of this origin are refused"],
  "host-refused": [403, "Requests to this name are refused"],
  "protected-mode": [403, "Protected mode: only clients of this machine are served"],
  "not-found": [404, "There is no such resource"],
  "key-not-found": [404, "There is no such key"],
  "method-not-allowed": [405, "The resource has no such method"],
  "body-timeout": [408, "The body did not arrive"],
  "wrong-type": [409, "The key holds another kind of value"],
  "condition-failed": [412, "The condition does not hold"],
  "body-too-large": [413, "The body is too large"],
  "media-type": [415, "The body must be JSON"],
  "upgrade-required": [426, "This resource speaks WebSocket"],
  "reply-too-large": [413, "The reply would be too large"],
  "outcome-unknown": [500, "Whether it was kept is unknown"],
  "internal": [500, "The request could not be answered"],
  "unavailable": [503, "The server cannot answer now"],
  "out-of-memory": [507, "There is no memory for it"],
} as const;
export type ProblemName = keyof typeof PROBLEMS;

/** First words of error replies that are more than the client's mistake. */
const BY_CODE: Readonly<Record<string, ProblemName>> = {
  WRONGTYPE: "wrong-type",
  BUSYKEY: "condition-failed",
  OOM: "out-of-memory",
  NOAUTH: "unauthorized",
  WRONGPASS: "unauthorized",
  LOADING: "unavailable",
  MISCONF: "unavailable",
};

const UNAUTHORIZED_HEADERS = {
  "www-authenticate": 'Basic realm="mayfly", charset="UTF-8", Bearer realm="mayfly"',
};

/** The problem as a response; `detail` says what is wrong with this request. */
export function problem(
  name: ProblemName,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const [status, title] = PROBLEMS[name];
  const body = { type: `urn:mayfly:problem:${name}`, title, status, detail };
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      "content-type": PROBLEM_TYPE,
      "x-content-type-options": "nosniff",
      ...name === "unauthorized" ? UNAUTHORIZED_HEADERS : {},
      ...headers,
    },
  });
}

/** The problem that an error reply is, its code first: `WRONGTYPE Operation against ...`. */
export function commandProblem(text: string): Response {
  const code = text.slice(0, Math.max(0, text.indexOf(" ")));
  return problem(BY_CODE[code] ?? "command-error", text);
}
