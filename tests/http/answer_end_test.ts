/** Who learns whether a client got a whole answer, and when. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { type BareServer, bareServer } from "../fixtures/bare_server.ts";
import { RawClient } from "../fixtures/raw_client.ts";
import { until } from "../fixtures/upstream_client.ts";

const BODY = new TextEncoder().encode("all of it");

interface GatedServer extends BareServer {
  /** What was said of the answers. */
  readonly ends: readonly string[];
  readonly asked: () => number;
  /** Lets all answers come. */
  readonly open: () => void;
}

function gatedServer(): GatedServer {
  const ends: string[] = [];
  const gate = Promise.withResolvers<void>();
  let asked = 0;
  const server = bareServer(async ({ body, prove }) => {
    prove();
    while (await body.read() !== null);
    asked++;
    await gate.promise;
    const onEnd = (end: string) => void ends.push(end);
    return { status: 200, headers: [], body: BODY, onEnd };
  });
  return { ...server, ends, asked: () => asked, open: gate.resolve };
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
