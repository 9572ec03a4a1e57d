// DEBUG PROTOCOL: one reply of each kind, for those who test how a client reads them; it touches nothing.
import type { ReplyWriter } from "../protocol/reply_writer.ts";
import type { CommandContext } from "./context.ts";

/** Redis's examples, but for its attribute and push: nothing here sends either. */
const KINDS: Readonly<Record<string, (reply: ReplyWriter) => void>> = {
  string: (reply) => reply.bulkText("Hello World"),
  integer: (reply) => reply.integer(12345),
  double: (reply) => reply.double(3.141),
  bignum: (reply) => reply.bigNumber("1234567999999999999999999999999999999"),
  null: (reply) => reply.nil(),
  array: (reply) => {
    reply.array(3);
    for (let i = 0; i < 3; i++) reply.integer(i);
  },
  set: (reply) => {
    reply.set(3);
    for (let i = 0; i < 3; i++) reply.integer(i);
  },
  map: (reply) => {
    reply.map(3);
    for (let i = 0; i < 3; i++) {
      reply.integer(i);
      reply.boolean(i === 1);
    }
  },
  verbatim: (reply) => reply.verbatim("This is a verbatim\nstring"),
  true: (reply) => reply.boolean(true),
  false: (reply) => reply.boolean(false),
};

/** DEBUG PROTOCOL string | integer | double | bignum | null | array | set | map | verbatim | true | false */
export function debugProtocol(c: CommandContext): void {
  const name = c.argText(2).toLowerCase();
  if (Object.hasOwn(KINDS, name)) return KINDS[name](c.reply);
  c.reply.error(
    `ERR Wrong protocol type name. Please use one of the following: ${
      Object.keys(KINDS).join("|")
    }`,
  );
}
