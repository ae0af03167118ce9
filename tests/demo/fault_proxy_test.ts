/** The harmful relay in front of the demo API. */

import { ok, rejects, strictEqual } from "node:assert/strict";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { credentialOf, messageBody } from "../fixtures/demo_message.ts";
import { type FaultProxy, startFaultProxy } from "../fixtures/fault_proxy.ts";

const LIMIT_MS = 150;

/** Sends one message on a connection of its own; what came, and how it ended. */
async function exchange(
  proxy: FaultProxy,
  headers: Readonly<Record<string, string>>,
  limitMs = LIMIT_MS,
): Promise<{ text: string; ending: "fin" | "rst" | "open" }> {
  const connection = await Deno.connect({
    port: proxy.port,
    hostname: "127.0.0.1",
  });
  const body = messageBody();
  const lines = Object.entries({
    host: "demo",
    connection: "close",
    "content-length": String(body.length),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  let text = "";
  let ending: "fin" | "rst" | "open" = "fin";
  const timer = setTimeout(() => {
    ending = "open";
    connection.close();
  }, limitMs);
  try {
    await connection.write(new TextEncoder().encode(
      `POST /v1/messages HTTP/1.1\r\n${lines.join("")}\r\n${body}`,
    ));
    const chunk = new Uint8Array(65_536);
    for (;;) {
      const length = await connection.read(chunk);
      if (length === null) break;
      text += new TextDecoder().decode(chunk.subarray(0, length));
    }
    connection.close();
  } catch (reason) {
    if (reason instanceof Deno.errors.ConnectionReset) {
      ending = "rst";
      connection.close();
    }
  }
  clearTimeout(timer);
  return { text, ending };
}

Deno.test("FaultProxy passes everything when it is told nothing", async () => {
  await using api = await startScriptedApi();
  await using proxy = await startFaultProxy(api.port);
  const headers = credentialOf(api.account("work"));
  const response = await fetch(`${proxy.url}/v1/messages`, {
    method: "POST",
    headers,
    body: messageBody({ isStream: false }),
  });
  strictEqual((await response.json()).type, "message");
  strictEqual(proxy.connections, 1);
});

Deno.test("FaultProxy cuts the answer at a byte, with FIN or RST", async () => {
  await using api = await startScriptedApi();
  await using proxy = await startFaultProxy(api.port);
  const headers = credentialOf(api.account("work"));
  for (const how of ["fin", "rst"] as const) {
    for (const cutAnswerAt of [1, 100, 1_500]) {
      proxy.next({ cutAnswerAt, how });
      const { text, ending } = await exchange(proxy, headers, 20_000);
      strictEqual(ending, how);
      strictEqual(text.length, cutAnswerAt);
    }
  }
});

Deno.test("FaultProxy refuses, swallows, and cuts in the request", async () => {
  await using api = await startScriptedApi();
  await using proxy = await startFaultProxy(api.port);
  const headers = credentialOf(api.account("work"));
  proxy.next({ isRefused: true, how: "rst" });
  await rejects(fetch(proxy.url));
  proxy.next({ isSwallowed: true });
  strictEqual((await exchange(proxy, headers)).ending, "open");
  proxy.next({ cutRequestAt: 50, how: "rst" });
  strictEqual((await exchange(proxy, headers)).text, "");
  await api.idle();
  strictEqual(api.truth().total.requests, 0);
});

Deno.test("FaultProxy stalls, delays and freezes", async () => {
  await using api = await startScriptedApi();
  await using proxy = await startFaultProxy(api.port);
  const headers = credentialOf(api.account("work"));
  proxy.next({ stallAnswerAt: 200 });
  const stalled = await exchange(proxy, headers);
  strictEqual(stalled.ending, "open");
  strictEqual(stalled.text.length, 200);
  proxy.next({ delayMs: 50 });
  const startedMs = performance.now();
  ok((await exchange(proxy, headers)).text.startsWith("HTTP/1.1 200"));
  ok(performance.now() - startedMs >= 49);
  proxy.freeze();
  strictEqual((await exchange(proxy, headers)).text, "");
  proxy.thaw();
  ok((await exchange(proxy, headers)).text.includes("message_stop"));
});
