/** Who learns whether a client got a whole answer, and when. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import "../fixtures/clean_environment.ts";
import { connectionLimits } from "../../src/http/client_connection.ts";
import { Deadline } from "../../src/http/deadline.ts";
import { ConnectionServer } from "../../src/http/server.ts";
import { RawClient } from "../fixtures/raw_client.ts";
import { until } from "../fixtures/upstream_client.ts";

const BODY = new TextEncoder().encode("all of it");

/** A server whose answers come when `open` is called. */
function gatedServer(): {
  readonly port: number;
  readonly ends: string[];
  readonly asked: () => number;
  readonly open: () => void;
} & AsyncDisposable {
  const ends: string[] = [];
  const gate = Promise.withResolvers<void>();
  let asked = 0;
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const stall = new Deadline(60_000);
  const server = new ConnectionServer([listener], {
    answer: async ({ body, prove }) => {
      prove();
      while (await body.read() !== null);
      asked++;
      await gate.promise;
      return {
        status: 200,
        headers: [],
        body: BODY,
        onEnd: (end) => ends.push(end),
      };
    },
    stall,
    heads: { firstByteMs: 60_000, headMs: 60_000 },
    connections: connectionLimits(null),
    journal: { log: () => {} },
  });
  return {
    port: listener.addr.port,
    ends,
    asked: () => asked,
    open: gate.resolve,
    [Symbol.asyncDispose]: async () => {
      server.abort();
      stall.close();
      await server.shutdown();
    },
  };
}

Deno.test("a whole answer ends once, when it was written", async () => {
  await using server = gatedServer();
  using client = await RawClient.connect(server.port);
  await client.send();
  await until(() => server.asked() === 1);
  deepStrictEqual(server.ends, []);
  server.open();
  strictEqual((await client.whole()).body, "all of it");
  await until(() => server.ends.length > 0);
  client[Symbol.dispose]();
  await new Promise((resolve) => setTimeout(resolve, 20));
  deepStrictEqual(server.ends, ["written"]);
});

Deno.test("a whole answer whose client has left before it came is lost", async () => {
  await using server = gatedServer();
  {
    using client = await RawClient.connect(server.port);
    await client.send();
    await until(() => server.asked() === 1);
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
  server.open();
  await until(() => server.ends.length > 0);
  deepStrictEqual(server.ends, ["lost"]);
});
