// The proof that ports are free, over a pretended machine where this one has no such fault.

import assert from "node:assert/strict";
import { type Listen, probePorts } from "../../src/cli/port_probe.ts";

/** A machine where each host fails as told, and free ports are given out in order. */
function machine(faults: Record<string, (port: number) => Error | null>, freePorts = [4000]) {
  const bound: string[] = [];
  let next = 0;
  const listen: Listen = ({ hostname, port }) => {
    const real = port === 0 ? freePorts[next++ % freePorts.length]! : port;
    const fault = faults[hostname]?.(real) ?? null;
    if (fault !== null) throw fault;
    bound.push(`${hostname} ${real}`);
    return { addr: { transport: "tcp", hostname, port: real }, close: () => void bound.pop() };
  };
  return { listen, bound };
}

const lacking = () => Object.assign(new Error("no"), { code: "EAFNOSUPPORT" });
const notAvailable = () => new Deno.errors.AddrNotAvailable("no");
const inUse = () => new Deno.errors.AddrInUse("no");

Deno.test("probePorts() skips a family that the machine lacks and keeps no listener", () => {
  for (const fault of [lacking, notAvailable]) {
    const { listen, bound } = machine({ "::1": fault });
    assert.deepEqual(probePorts(["127.0.0.1", "::1"], 7000, listen), {
      ok: { hosts: ["127.0.0.1"], port: 7000, skipped: ["::1"] },
    });
    assert.deepEqual(bound, []);
  }
});

Deno.test("probePorts() refuses when no family is left, and an address that is not here", () => {
  const none = probePorts(["::1", "::"], 7000, machine({ "::1": lacking, "::": lacking }).listen);
  assert.ok("error" in none);
  assert.match(none.error, /cannot listen on \[::1\]:7000, \[::\]:7000: .*--host/);
  const wrong = probePorts(["10.1.2.3"], 7000, machine({ "10.1.2.3": notAvailable }).listen);
  assert.ok("error" in wrong);
  assert.match(wrong.error, /cannot listen on 10\.1\.2\.3:7000: .*no such address/);
});

Deno.test("probePorts() takes for 0 one port that is free on every host, within its tries", () => {
  const taken = machine({ "::1": (port) => port < 4002 ? inUse() : null }, [4000, 4001, 4002]);
  assert.deepEqual(probePorts(["127.0.0.1", "::1"], 0, taken.listen), {
    ok: { hosts: ["127.0.0.1", "::1"], port: 4002, skipped: [] },
  });
  const full = probePorts(["127.0.0.1", "::1"], 0, machine({ "::1": inUse }).listen);
  assert.ok("error" in full);
  assert.match(full.error, /\[::1\]:4000: address in use/);
});
