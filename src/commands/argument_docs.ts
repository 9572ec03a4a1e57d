// The arguments of a command as COMMAND DOCS tells them, and as a line for people; it knows no command.
import type { ReplyWriter } from "../protocol/reply_writer.ts";
import type { CommandArgument } from "./command_facts.ts";

/** The nested maps that Redis 7.0 replies with. */
export function writeArguments(reply: ReplyWriter, all: readonly CommandArgument[]): void {
  reply.array(all.length);
  for (const each of all) {
    const fields: [string, () => void][] = [
      ["name", () => reply.bulkText(each.name)],
      ["type", () => reply.bulkText(each.type)],
    ];
    const { keySpec, token, since, deprecatedSince, flags } = each;
    if (keySpec !== undefined) fields.push(["key_spec_index", () => reply.integer(keySpec)]);
    if (token !== undefined) fields.push(["token", () => reply.bulkText(token)]);
    if (since !== undefined) fields.push(["since", () => reply.bulkText(since)]);
    if (deprecatedSince !== undefined) {
      fields.push(["deprecated_since", () => reply.bulkText(deprecatedSince)]);
    }
    if (flags !== undefined) fields.push(["flags", () => writeFlags(reply, flags.split(" "))]);
    if (each.arguments !== undefined) {
      fields.push(["arguments", () => writeArguments(reply, each.arguments!)]);
    }
    reply.map(fields.length);
    for (const [name, write] of fields) {
      reply.bulkText(name);
      write();
    }
  }
}

function writeFlags(reply: ReplyWriter, flags: readonly string[]): void {
  reply.set(flags.length);
  for (const flag of flags) reply.status(flag);
}

/** `key value [NX | XX] [EX seconds | PX milliseconds]`: the notation of Redis's documents. */
export function syntaxOf(all: readonly CommandArgument[]): string {
  return all.map(syntaxOfOne).join(" ");
}

function syntaxOfOne(argument: CommandArgument): string {
  const flags = argument.flags?.split(" ") ?? [], parts = argument.arguments ?? [];
  const isOptional = flags.includes("optional"), word = argument.token || '""';
  let text: string;
  if (argument.type === "pure-token") text = word;
  else {
    const inner = argument.type === "oneof"
      ? parts.map(syntaxOfOne).join(" | ")
      : argument.type === "block"
      ? syntaxOf(parts)
      : argument.name;
    const grouped = argument.type === "oneof" && !isOptional ? `<${inner}>` : inner;
    text = argument.token === undefined ? grouped : `${word} ${grouped}`;
  }
  if (flags.includes("multiple")) {
    const again = argument.token === undefined || flags.includes("multiple_token")
      ? text
      : argument.name;
    text = `${text} [${again} ...]`;
  }
  return isOptional ? `[${text}]` : text;
}
