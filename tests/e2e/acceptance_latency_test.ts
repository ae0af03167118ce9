/**
 * Acceptance: what tc adds before the first byte (peers' test 12). A figure
 * holds on a quiet machine alone, so the bounds proper are those of TC_LONG.
 */

import { ok } from "node:assert/strict";
import { startScriptedOrigin } from "../fixtures/scripted_origin.ts";
import { LOCAL_KEY } from "../fixtures/proxy_kit.ts";
import { STREAM } from "../fixtures/proxy_client.ts";
import { ProxyKit } from "../fixtures/proxy_kit.ts";
import { report } from "../fixtures/report.ts";
import { trials } from "../fixtures/trials.ts";

/** How much slower than a quiet machine a busy one may be. */
const SLOWNESS = trials(40, 1);

const KIB = 1_024;

/** One inference of about so many bytes. */
function bodyOf(bytes: number): string {
  return JSON.stringify({
    model: "claude-opus-5-5",
    max_tokens: 100,
    stream: true,
    tools: [{ name: "Bash", input_schema: {} }],
    messages: [{ role: "user", content: "x".repeat(bytes) }],
  });
}

/** Milliseconds to the first byte of the answer. */
async function firstByteMs(url: string, body: string): Promise<number> {
  const startedMs = performance.now();
  const response = await fetch(`${url}/v1/messages`, {
    method: "POST",
    headers: {
      "x-api-key": LOCAL_KEY,
      "content-type": "application/json",
      "x-claude-code-session-id": "one",
    },
    body,
  });
  const reader = response.body?.getReader();
  await reader?.read();
  const tookMs = performance.now() - startedMs;
  for (let isOver = false; !isOver;) {
    isOver = (await reader?.read())?.done ?? true;
  }
  return tookMs;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

for (
  const { name, bytes, mostMs } of [
    { name: "1 KiB", bytes: KIB, mostMs: 0.5 },
    { name: "1 MiB", bytes: KIB * KIB, mostMs: 3 },
  ]
) {
  Deno.test(`12: the first byte of a request of ${name} comes as soon`, async () => {
    await using origin = startScriptedOrigin();
    origin.always(STREAM);
    await using kit = new ProxyKit({ origin: origin.url });
    const body = bodyOf(bytes);
    const direct: number[] = [];
    const through: number[] = [];
    // In turns, so that what the machine does meanwhile hits both alike.
    for (let count = 0; count < trials(60, 1_000); count++) {
      direct.push(await firstByteMs(origin.url, body));
      through.push(await firstByteMs(kit.url, body));
    }
    const addedMs = median(through) - median(direct);
    report(`${name}: ${addedMs.toFixed(2)} ms added before the first byte`);
    ok(addedMs <= mostMs * SLOWNESS, `${addedMs} ms`);
    await kit.isEmpty();
  });
}
