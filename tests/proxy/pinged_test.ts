/** Streams that only pinged: nothing was generated, so they are not served yet. */

import { ok, strictEqual } from "node:assert/strict";
import * as zlib from "node:zlib";
import { openingStanding } from "../../src/wire/answer/early_error.ts";
import type { OriginAnswer } from "../fixtures/origin_answer.ts";
import {
  ask,
  EVENTS,
  labelOf,
  served,
  STREAM,
} from "../fixtures/proxy_client.ts";
import { errorBody } from "../fixtures/proxy_kit.ts";
import { Scene } from "../fixtures/proxy_scene.ts";

const PING = 'event: ping\ndata: {"type": "ping"}\n\n';
const OVERLOADED = `event: error\ndata: ${errorBody("overloaded_error")}\n\n`;
const SPENT = `event: error\ndata: ${errorBody("rate_limit_error")}\n\n`;

function stream(text: string, more: Partial<OriginAnswer> = {}): OriginAnswer {
  return { ...STREAM, body: text, ...more };
}

const ROWS: readonly (readonly [string, OriginAnswer])[] = [
  ["a ping, then overload", stream(PING + OVERLOADED)],
  [
    "pings in writes of their own",
    stream(PING + PING + OVERLOADED, {
      framing: "close",
      writes: [30],
      pauseMs: 5,
    }),
  ],
  ["a comment, a ping, then a limit", stream(`: x\n\n${PING}${SPENT}`)],
  [
    "the same with CRLF",
    stream((PING + OVERLOADED).replaceAll("\n", "\r\n")),
  ],
  [
    "the same compressed",
    stream("", {
      headers: [...STREAM.headers ?? [], ["content-encoding", "gzip"]],
      body: new Uint8Array(zlib.gzipSync(PING + OVERLOADED)),
    }),
  ],
];

for (const [name, answer] of ROWS) {
  Deno.test(`a stream with ${name} is continued by the next account`, async () => {
    await using scene = new Scene({ hold: { silentMs: 10_000 } });
    const { kit, origin } = scene;
    origin.always((request) =>
      labelOf(request) === "a" ? answer : served(request)
    );
    kit.keeper.dispatch({ kind: "pinned", accountId: "a" as never });
    const response = await ask(kit, { isStream: true });
    strictEqual(response.status, 200);
    strictEqual(await response.text(), EVENTS);
    ok(scene.asked.includes("a"));
    await kit.isEmpty();
  });
}

Deno.test("while an upstream only pings the client's stream is open, and one answer follows", async () => {
  await using scene = new Scene({ hold: { silentMs: 50, pingMs: 50 } });
  const { kit, origin } = scene;
  origin.next(
    stream(PING.repeat(8) + SPENT, {
      framing: "close",
      writes: [PING.length + 60],
      pauseMs: 60,
    }),
  );
  const startedMs = performance.now();
  const response = await ask(kit, { isStream: true });
  const headMs = performance.now() - startedMs;
  ok(headMs < 300, `the head came after ${Math.round(headMs)} ms`);
  const text = await response.text();
  ok(text.startsWith("event: ping"));
  ok(text.endsWith(EVENTS), text.slice(-300));
  strictEqual(
    text.split("message_start").length,
    EVENTS.split("message_start").length,
  );
  strictEqual(scene.asked.length, 2);
  await kit.isEmpty();
});

Deno.test("pings before an answer are passed on as they came", async () => {
  await using scene = new Scene({ hold: { silentMs: 10_000 } });
  scene.origin.next(stream(PING + EVENTS, { framing: "close", writes: [20] }));
  const response = await ask(scene.kit, { isStream: true });
  strictEqual(await response.text(), PING + EVENTS);
});

Deno.test("openingStanding() is decided by the first event that is not a ping, however it is cut", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  for (const text of [EVENTS, PING + EVENTS, `${PING}data: x\n\n`]) {
    for (let cut = 0; cut <= text.length; cut++) {
      const seen = openingStanding(bytes(text.slice(0, cut)));
      const begun = text.startsWith(PING) ? PING.length + 8 : 8;
      if (cut >= begun) strictEqual(seen, "decided", text.slice(0, cut));
    }
  }
  for (let cut = 1; cut < OVERLOADED.length; cut++) {
    strictEqual(
      openingStanding(bytes(PING + OVERLOADED.slice(0, cut))),
      "undecided",
    );
  }
  strictEqual(openingStanding(bytes(PING + OVERLOADED)), "decided");
  strictEqual(openingStanding(bytes(PING)), "pinged");
  strictEqual(openingStanding(bytes("")), "undecided");
});
