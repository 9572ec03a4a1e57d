// Both halves of the bus over real message channels, so that everything is cloned as between
// threads.

import assert from "node:assert/strict";
import { Bus, BUS_QUESTIONS_MAX } from "../../src/bus.ts";
import { ControlPlane } from "../../src/control_plane.ts";

interface Fixture {
  readonly buses: readonly Bus[];
  readonly plane: ControlPlane;
  [Symbol.dispose](): void;
}

function open(workerCount: number): Fixture {
  const channels = Array.from({ length: workerCount }, () => new MessageChannel());
  const plane = new ControlPlane(
    workerCount,
    (i, message) => channels[i]!.port1.postMessage(message),
  );
  const buses = channels.map(({ port1, port2 }, i) => {
    const bus = new Bus((message) => port2.postMessage(message));
    port1.onmessage = (event) => assert.equal(plane.receive(i, event.data), true);
    port2.onmessage = (event) => assert.equal(bus.receive(event.data), true);
    return bus;
  });
  return {
    buses,
    plane,
    [Symbol.dispose]() {
      plane.close();
      for (const bus of buses) bus.close();
      for (const { port1, port2 } of channels) {
        port1.close();
        port2.close();
      }
    },
  };
}

Deno.test("Bus.ask() gathers every worker's answer in the workers' order", async () => {
  using fixture = open(3);
  const { buses } = fixture;
  let release = () => {};
  const slow = new Promise<void>((resolve) => release = resolve);
  buses[0]!.answer("client-list", async (payload) => {
    await slow;
    return [0, payload];
  });
  buses[1]!.answer("client-list", (payload) => [1, payload]);
  buses[2]!.answer("client-list", (payload) => {
    release();
    return [2, payload];
  });
  const answers = await buses[1]!.ask("client-list", { type: "normal" });
  assert.deepEqual(answers, [0, 1, 2].map((i) => [i, { type: "normal" }]));
  assert.equal(buses[1]!.missingAnswers, 0);
});

Deno.test("Bus.ask() leaves out and counts workers that are silent or throw", async () => {
  using fixture = open(3);
  const { buses, plane } = fixture;
  buses[0]!.answer("client-kill", () => 5);
  buses[1]!.answer("client-kill", () => new Promise(() => {}));
  buses[2]!.answer("client-kill", () => {
    throw new Error("no");
  });
  assert.deepEqual(await buses[0]!.ask<number>("client-kill", null, 30), [5]);
  assert.equal(buses[0]!.missingAnswers, 2);
  assert.equal(plane.missingAnswers, 2);
});

Deno.test("Bus.ask() counts a worker without an answerer at once", async () => {
  using fixture = open(2);
  fixture.buses[0]!.answer("client-list", () => "here");
  // A timeout of a minute would outlast the test's own bound: nobody may wait for it.
  assert.deepEqual(await fixture.buses[0]!.ask("client-list", null, 60_000), ["here"]);
  assert.equal(fixture.buses[0]!.missingAnswers, 1);
});

Deno.test("Bus.ask() rejects past its bound and serves again when answers have come", async () => {
  using fixture = open(1);
  const bus = fixture.buses[0]!;
  let release = () => {};
  const held = new Promise<void>((resolve) => release = resolve);
  bus.answer("client-list", () => held.then(() => "late"));
  const asked = Array.from({ length: BUS_QUESTIONS_MAX }, () => bus.ask("client-list", null));
  await assert.rejects(bus.ask("client-list", null), /64 questions wait/);
  release();
  assert.equal((await Promise.all(asked)).flat().length, BUS_QUESTIONS_MAX);
  assert.deepEqual(await bus.ask("client-list", null), ["late"]);
});

Deno.test("ControlPlane.answer() keeps a question from the workers", async () => {
  using fixture = open(2);
  const { buses, plane } = fixture;
  for (const bus of buses) bus.answer("shutdown", () => assert.fail("a worker was asked"));
  plane.answer("shutdown", (payload) => `main: ${payload}`);
  assert.deepEqual(await buses[1]!.ask("shutdown", "now"), ["main: now"]);
});

Deno.test("Bus.ask() rejects where main does not answer, and ignores what comes too late", async () => {
  const bus = new Bus(() => {});
  await assert.rejects(bus.ask("client-list", null, 1), /no answer within 501 ms/);
  const late = { type: "bus-answers", askId: 1, answers: [1], missingCount: 0 };
  assert.equal(bus.receive(late), true);
  assert.equal(bus.receive({ type: "start" }), false);
});

Deno.test("Bus.close() rejects what waits", async () => {
  const bus = new Bus(() => {});
  const asked = bus.ask("client-list", null);
  bus.close();
  await assert.rejects(asked, /the worker stops/);
});
