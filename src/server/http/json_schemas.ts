// The shapes of JSON that /v1 and /ws take and give, each with the sentence that the document shows.
import { z } from "@hono/zod-openapi";

const text = z.string().refine((value) => value.isWellFormed(), "is not text that UTF-8 can carry");

/** Bytes: a string as UTF-8, or any bytes as base64. */
export const Bytes = z.union([
  text,
  z.object({ base64: z.base64() }).strict(),
]).openapi("Bytes", {
  description: "A string stands for its UTF-8; an object with base64 for any bytes.",
  example: "model:7",
});
export type Bytes = z.infer<typeof Bytes>;

/** What a command takes besides: numbers as their shortest text. */
export const CommandArgument = z.union([Bytes, z.number()]);

export const CommandWords = z.array(CommandArgument).min(1).openapi("Command", {
  description: "Name and arguments.",
  example: ["SET", "model:7", "ready", "EX", 60],
});

export const CommandBody = z.union([CommandWords, z.array(CommandWords).min(1)]).openapi(
  "Commands",
  { description: "One command, or a list of commands that run in their order." },
);

export const KeysBody = z.object({ keys: z.array(Bytes).min(1) }).strict().openapi("Keys");

export const Entry = z.object({
  key: Bytes,
  value: Bytes,
  ttl: z.int().positive().optional().describe("seconds to live"),
  pttl: z.int().positive().optional().describe("milliseconds to live"),
}).strict().refine(
  (entry) => entry.ttl === undefined || entry.pttl === undefined,
  "ttl and pttl contradict each other",
).openapi("Entry");

export const EntriesBody = z.object({ entries: z.array(Entry).min(1) }).strict().openapi("Entries");

/** A message of a client of /ws. */
export const SocketRequest = z.union([
  z.object({
    id: z.union([z.string(), z.number(), z.null()]).optional(),
    command: CommandWords,
  }).strict(),
  z.object({ subscribe: z.literal("stats") }).strict(),
  z.object({
    subscribe: z.literal("dashboard"),
    after: z.number().optional().describe("ms since 1970: samples up to there are known"),
  }).strict(),
  z.object({ unsubscribe: z.enum(["stats", "dashboard"]) }).strict(),
]).openapi("SocketRequest");

export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
}).openapi("Problem", {
  description: "RFC 9457",
  example: {
    type: "urn:mayfly:problem:key-not-found",
    title: "There is no such key",
    status: 404,
    detail: "the key is not there, or has expired",
  },
});

/** What replies hold: text, bytes that are not UTF-8, numbers, null, lists and objects of such. */
const Reply = z.any().openapi("Reply", {
  description:
    "A string; an object with base64 where the bytes are not UTF-8; a number, or its digits as a string beyond " +
    "2^53; null; or an array or object of such.",
});

export const CommandResult = z.union([
  z.object({ result: Reply }),
  z.object({ error: z.string() }),
]).openapi("CommandResult");
export const ValuesResult = z.object({ values: z.array(Bytes.nullable()) }).openapi("Values");
export const StoredResult = z.object({ stored: z.int() }).openapi("Stored");
export const DeletedResult = z.object({ deleted: z.int() }).openapi("Deleted");
export const KeysResult = z.object({ cursor: z.string(), keys: z.array(Bytes) }).openapi("KeyPage");
export const FollowedPut = z.object({
  key: z.string().min(1),
  value: z.string(),
  ttl: z.number().positive().optional().describe("seconds to live"),
}).openapi("Put", { example: { key: "a", value: "1" } });
export const FollowedResult = z.object({
  status: z.enum(["OK", "ERROR"]),
  message: z.string().optional(),
  key: z.string().optional(),
  value: z.string().optional(),
}).openapi("PutOrGetResult");
export const Health = z.object({ status: z.string() }).openapi("Health");
export const Stats = z.record(z.string(), z.any()).openapi("Stats");

/** As the runner takes it. */
export function argumentOf(value: z.infer<typeof CommandArgument>): string | Uint8Array {
  if (typeof value === "string") return value;
  return typeof value === "number" ? String(value) : Uint8Array.fromBase64(value.base64);
}

/** What is wrong, in one sentence: the first of the issues, with its place. */
export function issueText(error: z.ZodError): string {
  const [issue] = error.issues;
  const place = issue.path.map(String).join(".");
  return place === "" ? issue.message : `${place}: ${issue.message}`;
}
