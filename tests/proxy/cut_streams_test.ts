import { ok, strictEqual } from "node:assert/strict";
import { CuttingUpstream, hasNode } from "../fixtures/cutting_upstream.ts";
import { ProxyKit } from "../fixtures/proxy_kit.ts";
import { RawClient } from "../fixtures/raw_client.ts";
import { trials } from "../fixtures/trials.ts";

const CLIENTS = 24;

function event(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** About 2 KB of a streamed answer. */
const EVENTS = [
  event("message_start", { message: { usage: { input_tokens: 25 } } }),
  ...Array.from({ length: 21 }, (_, index) =>
    event("content_block_delta", {
      index,
      delta: { type: "text_delta", text: "word ".repeat(3) },
    })),
  event("message_delta", { usage: { output_tokens: 15 } }),
  event("message_stop", { type: "message_stop" }),
];
const BODY = EVENTS.join("");
/** It closes, so that no other request goes out on what is being closed. */
const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" +
  "connection: close\r\n";
const ANSWERS = [
  `${HEAD}transfer-encoding: chunked\r\n\r\n` +
  EVENTS.map((text) => `${text.length.toString(16)}\r\n${text}\r\n`).join("") +
  "0\r\n\r\n",
  `${HEAD}content-length: ${BODY.length}\r\n\r\n${BODY}`,
];

interface Cut {
  readonly how: "fin" | "rst";
  readonly at: number;
  readonly which: number;
}

/** Every cut at every byte; the answer with a length at fewer, unless long. */
function cuts(): Cut[] {
  const all: Cut[] = [];
  for (const how of ["fin", "rst"] as const) {
    ANSWERS.forEach((answer, which) => {
      const step = which === 0 ? 1 : trials(17, 1);
      for (let at = 0; at <= answer.length; at += step) {
        all.push({ how, at, which });
      }
    });
  }
  return all;
}

/** Sends one request and checks that a cut answer did not end cleanly. */
async function check(port: number, { how, at, which }: Cut): Promise<void> {
  const label = `${how} at byte ${at} of answer ${which}`;
  const answer = ANSWERS[which] ?? "";
  using client = await RawClient.connect(port);
  await client.send("{}", { "x-cut": `${how} ${at} ${which}` });
  const { status, body, isWhole } = await client.whole();
  if (status === 502) {
    // A reset may overtake the head. A FIN cannot overtake a byte of the body,
    // of which `event: ` is held back: an error event may follow.
    const held = answer.indexOf("event:") + "event: ".length;
    ok(how === "rst" || at <= held, label);
    return;
  }
  strictEqual(status, 200, label);
  ok(BODY.startsWith(body), `${label}: not a prefix`);
  if (at < answer.length) strictEqual(isWhole, false, `${label}: clean end`);
  else if (how === "fin") strictEqual(isWhole, true, label);
}

Deno.test(
  "a stream that breaks at any byte never ends cleanly nor goes out twice",
  {
    ignore: !hasNode(),
  },
  async () => {
    await using upstream = await CuttingUpstream.start(ANSWERS);
    await using kit = new ProxyKit({
      origin: upstream.origin,
      settings: { concurrencyStart: CLIENTS },
    });
    const all = cuts();
    const left = [...all];
    await Promise.all(Array.from({ length: CLIENTS }, async () => {
      for (let cut = left.pop(); cut !== undefined; cut = left.pop()) {
        await check(kit.port, cut);
      }
    }));

    const seen = await upstream.seen();
    strictEqual(seen.size, all.length);
    strictEqual(Math.max(...seen.values()), 1, "sent once each");
    const records = await kit.settled(all.length);
    strictEqual(records.length, all.length);
    ok(records.every(({ attempts }) => attempts.length === 1), "one try each");
    const complete = records.filter(({ end }) => end === "complete").length;
    const whole = all.filter(({ at, which }) => at === ANSWERS[which]?.length);
    ok(
      complete <= whole.length,
      `${complete} complete of ${whole.length} whole`,
    );
    ok(records.some(({ end }) => end === "upstream_failed"));
    await kit.isEmpty();
    strictEqual(kit.upstream.statistics().open, 0);
  },
);
