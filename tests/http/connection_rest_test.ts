import { ok, strictEqual } from "node:assert/strict";
import { MINUTE_MS } from "../../src/core/time.ts";
import { Connection, RestLimit } from "../../src/http/connection.ts";
import { RawUpstream } from "../fixtures/raw_upstream.ts";
import { realClock } from "../fixtures/real_ports.ts";
import {
  requestTo,
  TestPool,
  textOf,
  until,
} from "../fixtures/upstream_client.ts";

Deno.test("a closed connection enters no phase and never rests", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepting = listener.accept();
  const { port } = listener.addr;
  const stream = await Deno.connect({ hostname: "127.0.0.1", port });
  using _other = await accepting;
  const closed: Connection[] = [];
  const connection = new Connection(stream, {
    isTls: false,
    owner: { onSpoiled: () => {}, onClosed: (gone) => closed.push(gone) },
  });
  connection.close(null);
  for (const phase of ["idle", "waiting", "reading", "paused"] as const) {
    strictEqual(connection.enter(phase), false);
  }
  strictEqual(connection.rest(0), false);
  strictEqual(connection.phase, "closed");
  connection.close(null);
  strictEqual(closed.length, 1, "its owner is told once");
});

Deno.test("RestLimit stays below the shortest rest that was too long, and forgets it later", () => {
  const rest = new RestLimit();
  strictEqual(rest.limitMs(0), Infinity);
  rest.ended(300, 1_000);
  strictEqual(rest.limitMs(1_000), Infinity, "a crash says nothing of rests");
  rest.ended(20_000, 2_000);
  rest.ended(8_000, 3_000);
  rest.ended(15_000, 4_000);
  ok(rest.limitMs(4_000) < 8_000);
  ok(rest.limitMs(4_000) > 4_000);
  const before = rest.limitMs(4_000);
  strictEqual(rest.limitMs(3_000 + 10 * MINUTE_MS), 2 * before);
  rest.ended(8_000, 3_000 + 11 * MINUTE_MS);
  strictEqual(rest.limitMs(3_000 + 11 * MINUTE_MS), before);
});

Deno.test("a connection that rested longer than the upstream allows is not used again", async () => {
  // Like a corporate proxy: it ends a connection that was idle for 1.2 s.
  await using upstream = new RawUpstream(async (connection) => {
    for (;;) {
      const idle = Promise.withResolvers<null>();
      const timer = setTimeout(() => idle.resolve(null), 1_200);
      const request = await Promise.race([connection.request(), idle.promise]);
      clearTimeout(timer);
      if (request === null) return connection.close();
      await connection.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    }
  });
  using pool = new TestPool();
  async function send(): Promise<void> {
    strictEqual(
      await textOf(await pool.send(requestTo(upstream.origin))),
      "ok",
    );
  }
  await send();
  await until(() => pool.statistics().open === 0);
  await send();
  await realClock.sleep(1_050);
  strictEqual(pool.statistics().idle, 1, "the upstream has not closed it yet");
  await send();
  strictEqual(pool.statistics().opened, 3);
  await realClock.sleep(300);
  await send();
  strictEqual(pool.statistics().opened, 3, "a short rest is harmless");
});
