/**
 * No request is processed twice, whatever goes wrong on its way (R1): a nonce
 * a request, counted by the provider.
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { AnswerScript } from "../fixtures/scripted_api.ts";
import {
  DemoPlane,
  type Got,
  inParallel,
  numbered,
} from "../fixtures/demo_plane.ts";
import type { ConnectionFault } from "../fixtures/fault_proxy.ts";
import { report } from "../fixtures/report.ts";
import { trials } from "../fixtures/trials.ts";

/** What may become of a request under a fault. */
interface Row {
  readonly name: string;
  /** What the provider answers to every other request, or nothing special. */
  readonly script?: (script: AnswerScript) => void;
  /** What happens to a new connection, by its number. */
  readonly connection?: (index: number) => ConnectionFault;
  /** Statuses that the client may see. */
  readonly statuses: readonly number[];
  /** Whether the answer may break off in the client's hands. */
  readonly mayBreak: boolean;
  /** Sends of one request at most, accepted or not. */
  readonly sendsMax: number;
}

/** The answer to a small message takes about 1,900 bytes, the request 700. */
const ROWS: readonly Row[] = [
  {
    name: "connection refused",
    connection: (index) => ({ isRefused: index % 2 === 0 }),
    statuses: [200, 502],
    mayBreak: false,
    sendsMax: 1,
  },
  {
    name: "reset within the request",
    connection: (index) => ({ cutRequestAt: 1 + index * 37, how: "rst" }),
    statuses: [200, 502],
    mayBreak: true,
    sendsMax: 1,
  },
  {
    name: "reset before the answer",
    connection: () => ({ cutAnswerAt: 1, how: "rst" }),
    statuses: [200, 502],
    mayBreak: true,
    sendsMax: 1,
  },
  {
    name: "reset within the answer",
    connection: (index) => ({ cutAnswerAt: 50 + index * 97, how: "rst" }),
    statuses: [200, 502],
    mayBreak: true,
    sendsMax: 1,
  },
  {
    name: "end within the answer",
    connection: (index) => ({ cutAnswerAt: 50 + index * 97, how: "fin" }),
    statuses: [200, 502],
    mayBreak: true,
    sendsMax: 1,
  },
  {
    name: "no answer in time",
    connection: (index) => ({ stallAnswerAt: index * 97 }),
    statuses: [200, 502],
    mayBreak: true,
    sendsMax: 1,
  },
  refusalRow("401", (script) => script.fail("expired"), [200]),
  refusalRow("403", (script) => script.fail("forbidden"), [200]),
  refusalRow(
    "429 with a window",
    (script) => script.reply(429, { rejected: "5h", resetsInMs: 1_500 }),
    [200],
  ),
  refusalRow("429 without headers", (script) => script.burst(), [200, 429]),
  refusalRow("500", (script) => script.fail("server_error"), [200, 500]),
  refusalRow("502", (script) => script.reply(502), [200, 502]),
  refusalRow("503", (script) => script.fail("unavailable"), [200, 503]),
  refusalRow("529", (script) => script.overload(), [200, 529]),
];

function refusalRow(
  name: string,
  script: (script: AnswerScript) => void,
  statuses: readonly number[],
): Row {
  return { name, script, statuses, mayBreak: false, sendsMax: 24 };
}

/** Long waits without a ping: the status is then that of the answer. */
const QUIET = { jsonMaxMs: 10_000, silentMs: 10_000 };

const PER_ROW = trials(22, 200);
const WIDTH = 10;

async function run(row: Row, plane: DemoPlane): Promise<readonly Got[]> {
  plane.network.next(
    ...numbered(PER_ROW, (index) => row.connection?.(index) ?? {}),
  );
  const asks = numbered(PER_ROW, (index) => ({
    session: `${row.name} ${index}`,
    nonce: `${row.name} ${index}`,
    text: "demo:say ok",
    isStream: index % 3 !== 0,
  }));
  return await inParallel(asks, WIDTH, async (ask, index) => {
    // One account always serves.
    if (index % 2 === 0) {
      row.script?.(plane.api.next(index % 4 === 0 ? "a" : "b"));
    }
    return await plane.ask(ask);
  });
}

function judge(row: Row, plane: DemoPlane, answers: readonly Got[]): void {
  plane.assertSentOnce();
  const sends = new Map<string, number>();
  for (const { nonce } of plane.messages()) {
    const known = sends.get(nonce ?? "") ?? 0;
    sends.set(nonce ?? "", known + 1);
  }
  const most = Math.max(0, ...sends.values());
  ok(most <= row.sendsMax, `sent ${most} times`);
  const accepted = plane.api.acceptedPerNonce();
  for (const [index, { status, text, isBroken }] of answers.entries()) {
    const what = `${row.name}, request ${index}: ${status} ${text}`;
    ok(row.statuses.includes(status), what);
    ok(row.mayBreak || !isBroken, what);
    if (status !== 200 || isBroken) continue;
    // A clean end is that of the message itself.
    const isWhole = text.includes("event: message_stop") ||
      JSON.parse(text).stop_reason === "end_turn";
    ok(isWhole, what);
    strictEqual(accepted.get(`${row.name} ${index}`), 1, what);
  }
}

let requests = 0;

for (const row of ROWS) {
  Deno.test(`no request is processed twice: ${row.name}`, async () => {
    await using plane = await DemoPlane.open({
      isUnlimited: true,
      kit: {
        upstream: { firstByteMs: 500, idleBodyMs: 500 },
        hold: QUIET,
        settings: { parking: 0 },
      },
    });
    const answers = await run(row, plane);
    requests += answers.length;
    judge(row, plane, answers);
    await plane.kit.isEmpty();
  });
}

Deno.test("no request is processed twice: TLS that fails", async () => {
  await using plane = await DemoPlane.open({
    kit: { origin: "https://127.0.0.1:1", hold: QUIET },
  });
  const answers = await inParallel(
    numbered(10, (index) => ({ nonce: `${index}` })),
    10,
    (ask) => plane.ask(ask),
  );
  deepStrictEqual(answers.map(({ status }) => status), Array(10).fill(502));
  strictEqual(plane.messages().length, 0);
});

Deno.test("no request is processed twice: the sum", () => {
  ok(requests >= trials(300, 2_800));
  report(`${requests} requests under 14 kinds of fault, 0 processed twice`);
});
