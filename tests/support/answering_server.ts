// A stand-in for the server in the launcher's own tests: answers every line with PONG or with what
// MAYFLY_ANSWER says, ends on SIGTERM with the code of MAYFLY_EXIT_CODE. It knows no protocol.

const portAt = Deno.args.indexOf("--port") + 1;
const answer = Deno.env.get("MAYFLY_ANSWER") ?? "+PONG";
const exitCode = Number(Deno.env.get("MAYFLY_EXIT_CODE") ?? "0");

console.log(JSON.stringify(Deno.args));
if (Deno.args.includes("--refuse")) {
  console.error("no such flag: --refuse");
  Deno.exit(2);
}
Deno.addSignalListener("SIGTERM", () => Deno.exit(exitCode));
const listener = Deno.listen({ hostname: "127.0.0.1", port: Number(Deno.args[portAt]) });
let asked = 0;
for await (const conn of listener) {
  const buffer = new Uint8Array(1024);
  const count = await conn.read(buffer);
  if (count !== null) {
    const loading = Deno.args.includes("--load") && ++asked < 3;
    const line = loading ? "-LOADING mayfly is loading" : answer;
    await conn.write(new TextEncoder().encode(`${line}\r\n`));
  }
  conn.close();
}
