import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { PORT } from "../fixtures/bad_request_door.ts";
import { BAD_REQUESTS, type BadRequest } from "../fixtures/bad_requests.ts";
import { LOCAL_KEY, ProxyKit, tokenOf } from "../fixtures/proxy_kit.ts";
import { RawClient } from "../fixtures/raw_client.ts";
import {
  type ScriptedOrigin,
  startScriptedOrigin,
} from "../fixtures/scripted_origin.ts";
import { realClock } from "../fixtures/real_ports.ts";

/** Silence after which no further answer is waited for. */
const QUIET_MS = 150;
/** The same where an answer is due: a busy machine takes its time. */
const DUE_MS = 5_000;
const QUIET_AFTER_ANSWER_MS = 10;

interface Heard {
  readonly text: string;
  readonly statuses: readonly number[];
}

/** All that comes back, until the end or until nothing more comes. */
async function hear(
  port: number,
  pieces: readonly string[],
  { answersMax, silentMs }: {
    readonly answersMax: number;
    readonly silentMs: number;
  },
): Promise<Heard> {
  using client = await RawClient.connect(port);
  let isEnded = false;
  let reads = 0;
  const reading = (async () => {
    while (await client.read()) reads++;
    isEnded = true;
  })();
  try {
    for (const piece of pieces) await client.write(piece);
  } catch {
    // Refused and closed while it was still being written.
  }
  let quietSinceMs = performance.now();
  for (let seen = -1; !isEnded;) {
    if (reads !== seen) quietSinceMs = performance.now();
    seen = reads;
    const isAnswered = statusesOf(client.received).length >= answersMax;
    const quietMs = isAnswered ? QUIET_AFTER_ANSWER_MS : silentMs;
    if (performance.now() - quietSinceMs > quietMs) break;
    await realClock.sleep(1);
  }
  client.close();
  await reading;
  return { text: client.received, statuses: statusesOf(client.received) };
}

function statusesOf(text: string): readonly number[] {
  return [...text.matchAll(/HTTP\/1\.[01] (\d{3}) [^\r]*\r\n/g)]
    .map(([, status]) => Number(status));
}

function isBad(status: number): boolean {
  return status >= 400;
}

/** What is wrong with how a bad request was taken; null when nothing is. */
async function faultOf(
  bad: BadRequest,
  pieces: readonly string[],
  { kit, origin }: { readonly kit: ProxyKit; readonly origin: ScriptedOrigin },
): Promise<string | null> {
  const before = origin.requests().length;
  const hasVictim = bad.text.includes("/v1/victim HTTP/1.1\r\nhost");
  const { text, statuses } = await hear(kit.port, pieces, {
    answersMax: hasVictim ? 2 : 1,
    silentMs: bad.fate === "refused" || hasVictim ? QUIET_MS : DUE_MS,
  });
  const got = origin.requests().slice(before);
  if (/FAKE/.test(text)) return "a token came back";
  if (bad.fate === "refused") {
    if (got.length > 0) return `reached the upstream: ${got[0]?.rawHead}`;
    return statuses.every(isBad) ? null : `was answered ${statuses}`;
  }
  if (got.length !== 1) return `${got.length} requests, answers ${statuses}`;
  if (statuses[0] !== 200) return `was answered ${statuses}`;
  if (!statuses.slice(1).every(isBad)) return `was answered ${statuses}`;
  const [request] = got;
  const head = request?.rawHead ?? "";
  const body = Buffer.from(request?.body ?? []).toString("latin1");
  if (body !== bad.body) return `the upstream got the body ${body}`;
  if (head.split(tokenOf("a")).length !== 2) return `no one token: ${head}`;
  if (head.includes(LOCAL_KEY)) return `the key went on: ${head}`;
  return null;
}

function piecesOf(text: string, isSplit: boolean): readonly string[] {
  return isSplit ? text.split(/(?<=\r\n)/) : [text];
}

Deno.test("a bad request is refused, or sent on as exactly one message", async (test) => {
  ok(BAD_REQUESTS.length >= 300, `${BAD_REQUESTS.length} bad requests`);
  await using origin = startScriptedOrigin();
  await using kit = new ProxyKit({
    origin: origin.url,
    accounts: ["a"],
    bodyBytesMax: 65_536,
    bodyMs: 100,
  });
  for (const group of new Set(BAD_REQUESTS.map(({ group }) => group))) {
    await test.step(group, async () => {
      const faults: string[] = [];
      for (const bad of BAD_REQUESTS.filter((each) => each.group === group)) {
        const text = bad.text.replaceAll(PORT, String(kit.port));
        for (const isSplit of [false, true]) {
          const pieces = piecesOf(text, isSplit);
          const fault = await faultOf(bad, pieces, { kit, origin });
          if (fault === null) continue;
          faults.push(`${JSON.stringify(text.slice(0, 300))}: ${fault}`);
        }
      }
      deepStrictEqual(faults, []);
      using client = await RawClient.connect(kit.port);
      await client.send();
      strictEqual((await client.whole()).status, 200, "the server lives");
    });
  }
  await kit.isEmpty();
  ok(kit.lines.every((line) => !line.includes("FAKE")));
});
