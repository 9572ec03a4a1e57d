// What the query and the headers of PUT /v1/keys/{key} ask for, as options of SET; runs nothing.
import { headerOf } from "./request_parts.ts";

/** Options of SET, and the tags of `If-Match` if the value has to be one of them. */
export interface PutOptions {
  readonly args: readonly string[];
  readonly ifMatch: string | null;
}

/** `db` is read by whoever chooses the session. */
const NAMES: ReadonlySet<string> = new Set(["db", "ttl", "pttl", "keepttl", "nx", "xx"]);
const SET_OPTIONS_OF = { ttl: "EX", pttl: "PX" } as const;

/** The options, or what is wrong with them in a sentence. `query` stands behind the question mark. */
export function readPutOptions(query: string, request: Request): PutOptions | string {
  const given = new URLSearchParams(query);
  const args: string[] = [];
  for (const name of given.keys()) {
    if (!NAMES.has(name)) return `there is no parameter ${name.slice(0, 40)}`;
    if (given.getAll(name).length > 1) return `${name} is given twice`;
  }
  const times = ["ttl", "pttl", "keepttl"].filter((name) => given.has(name));
  if (times.length > 1) return `${times.join(" and ")} contradict each other`;
  for (const name of ["ttl", "pttl"] as const) {
    const text = given.get(name);
    if (text === null) continue;
    if (!/^[1-9]\d{0,15}$/.test(text)) return `${name} is a whole number above 0`;
    args.push(SET_OPTIONS_OF[name], text);
  }
  if (given.has("keepttl")) args.push("KEEPTTL");
  const ifMatch = headerOf(request, "if-match");
  const ifNoneMatch = headerOf(request, "if-none-match");
  if (ifNoneMatch !== null && ifNoneMatch.trim() !== "*") {
    return "If-None-Match of a PUT can only be *";
  }
  const isAbsent = given.has("nx") || ifNoneMatch !== null;
  const isPresent = given.has("xx") || ifMatch?.trim() === "*";
  const tags = ifMatch !== null && ifMatch.trim() !== "*" ? ifMatch : null;
  if (isAbsent && (isPresent || tags !== null)) return "the conditions contradict each other";
  if (isAbsent) args.push("NX");
  // A value that is the one meant is there.
  else if (isPresent && tags === null) args.push("XX");
  return { args, ifMatch: tags };
}
