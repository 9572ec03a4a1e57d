// Calls with the replies that every protocol has to give, each in its own words; data only.

/**
 * A reply as RESP2 gives it, in the form of the test client's `plain()`: `+status`, `-error`, numbers, null,
 * arrays; other strings are bulks.
 */
export type Expected = string | number | null | readonly Expected[];

export interface Case {
  readonly name: string;
  /** Arguments and the reply. A third element is the line of text where it is not what follows from the reply. */
  readonly calls: readonly (readonly [args: readonly string[], reply: Expected, text?: string])[];
  /** False where lines of text cannot carry the arguments. */
  readonly inText?: false;
}

/** Words of a call parted by blanks. */
function w(words: string): string[] {
  return words.split(" ");
}

export const CASES: readonly Case[] = [
  {
    name: "parts of strings",
    calls: [
      [w("SETRANGE a 2 xy"), 4],
      [w("SETRANGE a 0 ab"), 4],
      [w("GETRANGE a 1 -1"), "bxy"],
      [w("SUBSTR a 0 0"), "a"],
      [w("GETRANGE a x 1"), "-ERR value is not an integer or out of range"],
      [w("SETRANGE a -1 x"), "-ERR offset is out of range"],
      [w("INCRBYFLOAT f 10.50"), "10.5"],
      [w("INCRBYFLOAT f 0.1"), "10.6"],
      [w("INCRBYFLOAT a 1"), "-ERR value is not a valid float"],
      [w("SET b ay"), "+OK"],
      [w("LCS a b"), "ay"],
      [w("LCS a b LEN"), 2],
      [w("MSETNX b 1 c 2"), 0],
      [w("MSETNX c 1 d 2"), 1],
      [w("GETEX c PERSIST"), "1"],
    ],
  },
  {
    name: "bits",
    calls: [
      [w("SETBIT a 7 1"), 0],
      [w("GETBIT a 7"), 1],
      [w("BITCOUNT a"), 1],
      [w("BITPOS a 1"), 7],
      [w("BITOP NOT b a"), 1],
      [w("BITCOUNT b 0 -1"), 7],
      [w("BITFIELD c SET u8 0 200 GET u4 0"), [0, 12]],
      [w("BITFIELD c OVERFLOW FAIL INCRBY u8 0 100"), [null]],
      [w("BITFIELD_RO c GET i8 0"), [-56]],
      [w("SETBIT a -1 1"), "-ERR bit offset is not an integer or out of range"],
    ],
  },
  {
    name: "keys that move",
    calls: [
      [w("SET a 1"), "+OK"],
      [w("RENAME a b"), "+OK"],
      [w("RENAME a b"), "-ERR no such key"],
      [w("RENAMENX b c"), 1],
      [w("COPY c d"), 1],
      [w("COPY c d"), 0],
      [w("MOVE c 9"), 1],
      [w("TOUCH c d"), 1],
      [w("EXPIREAT d 4102444800"), 1],
      [w("EXPIRETIME d"), 4102444800],
      [w("PEXPIREAT d 4102444800123 LT"), 0],
      [w("PEXPIRETIME d"), 4102444800000],
      [w("OBJECT ENCODING d"), "int"],
      [w("KEYS *"), ["d"]],
      [w("RANDOMKEY"), "d"],
      [w("SWAPDB 0 9"), "+OK"],
      [w("GET c"), "1"],
      [w("SWAPDB 0 9"), "+OK"],
      [w("RESTORE e 0 rubbish"), "-ERR DUMP payload version or checksum are wrong"],
    ],
  },
  {
    name: "SET and GET",
    calls: [
      [w("GET a"), null],
      [w("SET a 1"), "+OK"],
      [w("GET a"), "1"],
      [w("get A"), null],
      [w("sEt a 2"), "+OK"],
      [w("gEt a"), "2"],
    ],
  },
  {
    name: "SET with an expiry in each unit",
    calls: [
      [w("SET a 1 EX 100"), "+OK"],
      [w("TTL a"), 100],
      [w("SET a 1 PX 99600"), "+OK"],
      [w("TTL a"), 100],
      [w("SET a 1 EXAT 4102444800"), "+OK"],
      [w("GET a"), "1"],
      [w("SET a 1 PXAT 1"), "+OK"],
      [w("GET a"), null],
      [w("EXISTS a"), 0],
    ],
  },
  {
    name: "SET under the condition of a value",
    calls: [
      [["SET", "a", "1", "IFEQ", ""], null],
      [w("SET a 1"), "+OK"],
      [["SET", "a", "2", "IFEQ", "x"], null],
      [["SET", "a", "2", "IFEQ", "11"], null],
      [["SET", "a", "2", "IFEQ", "1"], "+OK"],
      [["SET", "a", "3", "GET", "ifeq", "1"], "2"],
      [["SET", "a", "3", "GET", "IFEQ", "2", "EX", "100"], "2"],
      [w("TTL a"), 100],
      [["SET", "a", "4", "KEEPTTL", "IFEQ", "3"], "+OK"],
      [w("TTL a"), 100],
      [["SET", "a", "4", "NX", "IFEQ", "3"], "-ERR syntax error"],
      [["SET", "a", "4", "IFEQ", "3", "XX"], "-ERR syntax error"],
      [["SET", "a", "4", "IFEQ"], "-ERR syntax error"],
      // What has expired when it comes takes away what was there, if that was equal.
      [["SET", "a", "5", "IFEQ", "3", "PXAT", "1"], null],
      [w("GET a"), "4"],
      [["SET", "a", "5", "IFEQ", "4", "PXAT", "1"], "+OK"],
      [w("EXISTS a"), 0],
    ],
    inText: false,
  },
  {
    name: "PUT is SET without options",
    calls: [
      [w("PUT a 1"), "+OK"],
      [w("GET a"), "1"],
      [w("EXPIRE a 100"), 1],
      [w("PUT a 2"), "+OK"],
      [w("TTL a"), -1],
      [w("PUT a"), "-ERR wrong number of arguments for 'put' command"],
    ],
  },
  {
    name: "DELETE is DEL, and a line of text gets OK",
    calls: [
      [w("MSET a 1 b 2 c 3 d 4"), "+OK"],
      [w("DELETE a"), 1, "OK"],
      [w("DEL b nosuch"), 1, "OK"],
      [w("UNLINK c d"), 2, "OK"],
      [w("DEL a"), 0, "OK"],
      [w("DBSIZE"), 0],
      [w("DELETE"), "-ERR wrong number of arguments for 'delete' command"],
    ],
  },
  {
    name: "MSET, MGET and EXISTS",
    calls: [
      [w("MSET a 1 b 2"), "+OK"],
      [w("MGET a nosuch b a"), ["1", null, "2", "1"]],
      [w("EXISTS a a b nosuch"), 3],
      [w("MSET a 5 b"), "-ERR wrong number of arguments for 'mset' command"],
      [w("MGET a"), ["1"]],
    ],
  },
  {
    name: "counters over their whole range",
    calls: [
      [w("INCR n"), 1],
      [w("INCRBY n 41"), 42],
      [w("DECR n"), 41],
      [w("DECRBY n 100"), -59],
      [w("GET n"), "-59", "-59"],
      [w("SET n 9007199254740991"), "+OK"],
      [w("INCRBY n 9223372036854775807"), "-ERR increment or decrement would overflow"],
      [w("DECRBY n -9223372036854775808"), "-ERR decrement would overflow"],
      [w("SET n x"), "+OK"],
      [w("INCR n"), "-ERR value is not an integer or out of range"],
      [w("GET n"), "x"],
    ],
  },
  {
    name: "APPEND and STRLEN",
    calls: [
      [w("APPEND a abc"), 3],
      [w("APPEND a def"), 6],
      [w("STRLEN a"), 6],
      [w("STRLEN nosuch"), 0],
      [w("GET a"), "abcdef"],
    ],
  },
  {
    name: "SETEX, PSETEX, SETNX, GETSET and GETDEL",
    calls: [
      [w("SETEX a 100 v"), "+OK"],
      [w("TTL a"), 100],
      [w("PSETEX a 200000 v"), "+OK"],
      [w("TTL a"), 200],
      [w("SETEX a 0 v"), "-ERR invalid expire time in 'setex' command"],
      [w("PSETEX a -1 v"), "-ERR invalid expire time in 'psetex' command"],
      [w("SETNX a w"), 0],
      [w("SETNX b w"), 1],
      [w("GETSET a x"), "v"],
      [w("TTL a"), -1],
      [w("GETDEL a"), "x"],
      [w("GETDEL a"), null],
      [w("EXISTS a"), 0],
    ],
  },
  {
    name: "EXPIRE, PERSIST and TYPE",
    calls: [
      [w("EXPIRE a 10"), 0],
      [w("SET a 1"), "+OK"],
      [w("TTL a"), -1],
      [w("PTTL nosuch"), -2],
      [w("EXPIRE a 10"), 1],
      [w("TTL a"), 10],
      [w("PERSIST a"), 1],
      [w("PERSIST a"), 0],
      [w("TYPE a"), "+string"],
      [w("PEXPIRE a 0"), 1],
      [w("TYPE a"), "+none"],
      [w("SET a 1"), "+OK"],
      [w("EXPIRE a -1"), 1],
      [w("EXISTS a"), 0],
      [w("EXPIRE a x"), "-ERR value is not an integer or out of range"],
      [w("EXPIRE a 9223372036854775807"), "-ERR invalid expire time in 'expire' command"],
    ],
  },
  {
    name: "databases are apart",
    calls: [
      [w("SET a 0"), "+OK"],
      [w("SELECT 5"), "+OK"],
      [w("GET a"), null],
      [w("SET a 5"), "+OK"],
      [w("SET b 5"), "+OK"],
      [w("DBSIZE"), 2],
      [w("FLUSHDB"), "+OK"],
      [w("DBSIZE"), 0],
      [w("SELECT 0"), "+OK"],
      [w("GET a"), "0"],
      [w("SELECT 16"), "-ERR DB index is out of range"],
      [w("FLUSHALL ASYNC"), "+OK"],
      [w("DBSIZE"), 0],
    ],
  },
  {
    name: "unknown commands and wrong counts of arguments",
    calls: [
      [
        w("FOO"),
        "-ERR unknown command 'FOO', with args beginning with: ",
        "ERROR: Unknown command",
      ],
      [
        w("FOO a b"),
        "-ERR unknown command 'FOO', with args beginning with: 'a' 'b' ",
        "ERROR: Unknown command",
      ],
      [w("GET"), "-ERR wrong number of arguments for 'get' command"],
      [w("CLIENT GETNAME x"), "-ERR wrong number of arguments for 'client|getname' command"],
      [w("CLIENT FOO"), "-ERR unknown subcommand 'FOO'. Try CLIENT HELP."],
    ],
  },
  {
    name: "the connection's own commands",
    calls: [
      [w("PING"), "+PONG"],
      [w("PING hi"), "hi"],
      [w("ECHO hi"), "hi"],
      [w("CLIENT GETNAME"), null],
      [w("CLIENT SETNAME me"), "+OK"],
      [w("CLIENT GETNAME"), "me"],
      [w("CLIENT SETINFO LIB-NAME lib"), "+OK"],
      [w("CLIENT SETINFO lib-ver 1.2"), "+OK"],
      [w("CLIENT SETINFO LIB-FOO x"), "-ERR Unrecognized option 'LIB-FOO'"],
      [w("RESET"), "+RESET"],
      [w("CLIENT GETNAME"), null],
      [
        w("HELLO 4"),
        "-NOPROTO unsupported protocol version",
        "ERROR: NOPROTO unsupported protocol version",
      ],
    ],
  },
  {
    name: "values that only bulk strings can carry",
    inText: false,
    calls: [
      [["SET", "", "empty key"], "+OK"],
      [["GET", ""], "empty key"],
      [["SET", "k\r\n\0 ", " v\r\n\0"], "+OK"],
      [["GET", "k\r\n\0 "], " v\r\n\0"],
      [["SET", "e", ""], "+OK"],
      [["GET", "e"], ""],
      [["STRLEN", "e"], 0],
      [
        ["CLIENT", "SETINFO", "LIB-NAME", "a b"],
        "-ERR lib-name cannot contain spaces, newlines or special characters.",
      ],
    ],
  },
];

/** The line of text that carries a reply. */
export function textLine(reply: Expected): string {
  if (reply === null) return "(nil)";
  if (typeof reply === "number") return String(reply);
  if (typeof reply !== "string") return reply.map(textLine).join(" ");
  if (reply.startsWith("-")) return `ERROR: ${reply.replace(/^-(?:ERR )?/, "")}`;
  return reply.replace(/^\+/, "");
}
