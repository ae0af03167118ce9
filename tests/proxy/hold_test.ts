import { rejects, strictEqual } from "node:assert/strict";
import { Hold, HoldDesk, type HoldManner } from "../../src/proxy/hold.ts";
import { ManualClock } from "../fixtures/manual_clock.ts";

const LIMITS = {
  maxMs: 60_000,
  jsonMaxMs: 5_000,
  silentMs: 0,
  pingMs: 1_000,
  requestsMax: 2,
  beyond: "limit" as const,
};

function hold(
  clock: ManualClock,
  desk = new HoldDesk(LIMITS),
  manner: HoldManner = "pings",
): Hold {
  return new Hold(desk, manner, { clock, open: () => {} });
}

Deno.test("HoldDesk counts, and is full at its limit", () => {
  const clock = new ManualClock();
  const desk = new HoldDesk(LIMITS);
  const [first, second, third] = [1, 2, 3].map(() =>
    hold(clock, desk, "silent")
  );
  strictEqual(first?.begin(), true);
  strictEqual(second?.begin(), true);
  strictEqual(second?.begin(), true, "going on takes no second place");
  strictEqual(desk.held, 2);
  strictEqual(third?.begin(), false);
  first?.end();
  first?.end();
  strictEqual(desk.held, 1);
  strictEqual(third?.begin(), true);
});

Deno.test("Hold limits all waits of a request together, by its manner", async () => {
  const bounds = [["none", 0], ["silent", 5_000], ["pings", 60_000]] as const;
  for (const [manner, boundMs] of bounds) {
    const clock = new ManualClock();
    const held = hold(clock, new HoldDesk(LIMITS), manner);
    strictEqual(held.giveUpAt() - clock.now(), boundMs);
    held.begin();
    await clock.advance(3_000);
    held.end();
    await clock.advance(1_000);
    strictEqual(held.waitedMs, 3_000);
    const leftMs = Math.max(0, boundMs - 3_000);
    strictEqual(held.giveUpAt() - clock.now(), leftMs);
  }
});

Deno.test("Hold opens only a stream after the silent part", async () => {
  const clock = new ManualClock();
  for (const manner of ["none", "silent", "pings"] as const) {
    let isOpened = false;
    const held = new Hold(new HoldDesk(LIMITS), manner, {
      clock,
      open: () => isOpened = true,
    });
    held.begin();
    await new Promise((resolve) => setTimeout(resolve, 5));
    held.end();
    strictEqual(isOpened, manner === "pings");
  }
});

Deno.test("Hold.pause() counts as a wait and ends with the client", async () => {
  const clock = new ManualClock();
  const desk = new HoldDesk(LIMITS);
  const held = hold(clock, desk);
  const leaving = new AbortController();
  const pause = held.pause(4_000, leaving.signal);
  strictEqual(desk.held, 1);
  await clock.advance(4_000);
  strictEqual(await pause, true);
  strictEqual(held.waitedMs, 4_000);
  strictEqual(desk.held, 0);

  const cut = held.pause(4_000, leaving.signal);
  leaving.abort(new Error("left"));
  await rejects(cut, /left/);
  strictEqual(desk.held, 0);
});

Deno.test("Hold.pause() refuses a long pause while too many requests wait", async () => {
  const clock = new ManualClock();
  const desk = new HoldDesk({ ...LIMITS, requestsMax: 0, silentMs: 500 });
  const { signal } = new AbortController();
  strictEqual(await hold(clock, desk).pause(501, signal), false);
  const short = hold(clock, desk).pause(500, signal);
  await clock.advance(500);
  strictEqual(await short, true);
});
