/**
 * What each part of a request's way costs alone, in memory and in one process:
 * `deno run -A tests/bench/part_cost.ts [bytes of the body]`. The shortest of
 * many short measurements counts, in processor time. What a part costs beside
 * the others is more: they share caches and make each other's garbage.
 */

import { Buffer } from "node:buffer";
import process from "node:process";
import { classify } from "../../src/core/quota/verdict.ts";
import { ClientConnection } from "../../src/http/client_connection.ts";
import { MessageWriter, nextHead } from "../../src/http/request.ts";
import { findHeadEnd, parseResponseHead } from "../../src/http/response.ts";
import { type HeaderList, Secret } from "../../src/ports.ts";
import { logLine } from "../../src/records/log/journal.ts";
import { StateDatabase } from "../../src/records/state_database.ts";
import { MANUAL_SHELL } from "../../src/shell_words.ts";
import { limitReadings } from "../../src/wire/answer/limit_headers.ts";
import {
  forRequest,
  observation,
  responseFacts,
} from "../../src/wire/answer/ratelimit.ts";
import { UsageMeter } from "../../src/wire/answer/usage.ts";
import { requestHeaders, responseHeaders } from "../../src/wire/headers.ts";
import { peek } from "../../src/wire/request/request_peek.ts";
import { ledgerEntry } from "../fixtures/ledger_rows.ts";
import { accountId, NOW } from "../fixtures/pool.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { CoreLoad } from "./core_cost.ts";
import { Life } from "./life_cost.ts";
import { ANSWER, ANSWER_LINES, bodyOf, headersOf } from "./request_text.ts";

const MEASUREMENTS = 30;
const WARM_UP = 10;
const ROWS = 64;

const TARGET = "/v1/messages?beta=true";

function headText(first: string, lines: HeaderList): Buffer {
  const text = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return Buffer.from(`${first}\r\n${text}\r\n`, "latin1");
}

/** A client that sends one head over and over. */
function clientOf(head: Buffer): ClientConnection {
  const stream = {
    read: (into: Uint8Array) => {
      into.set(head);
      return Promise.resolve(head.length);
    },
  };
  return new ClientConnection(stream as unknown as Deno.Conn);
}

type Part = readonly [
  name: string,
  count: number,
  run: () => void | Promise<unknown>,
];

function parts(bytes: number, database: StateDatabase): readonly Part[] {
  const body = bodyOf(bytes);
  const lines = headersOf(1, body.length);
  const client = clientOf(headText(`POST ${TARGET} HTTP/1.1`, lines));
  const answer = headText("HTTP/1.1 200 OK", ANSWER_LINES);
  const window = { from: 0, to: answer.length };
  const writer = new MessageWriter();
  const account = accountId("a");
  const authorization = {
    accountId: account,
    scheme: "oauth",
    token: new Secret("sk-ant-oat01-FAKE-token-0123456789"),
    origin: null,
    modelMap: null,
  } as const;
  const asked = {
    model: "claude-opus-5-5",
    betas: "",
    contextTokens: 600,
    client: "claude-cli",
    path: "/v1/messages",
    family: "opus",
  } as const;
  const core = new CoreLoad(3, 64);
  const many = Math.max(20, Math.round(2_000_000 / (bytes + 1_000)));
  return [
    ["head", 2_000, () => nextHead(client, () => {})],
    ["peek", many, () => void peek(lines, TARGET, body)],
    ["head out", many, () => {
      const headers = requestHeaders(lines, authorization, null)
        .filter(([name]) => name !== "content-length");
      const parts = { method: "POST", target: TARGET, headers, body };
      writer.giveBack(writer.message(parts, "api.example"));
    }],
    ["head in", 2_000, () => {
      findHeadEnd(answer, window, 0);
      parseResponseHead(answer, window, "POST");
    }],
    ["decide", 2_000, () => core.step()],
    ["judge", 2_000, () => {
      const limits = limitReadings(ANSWER_LINES, NOW);
      observation(ANSWER_LINES, account, NOW, limits);
      const facts = responseFacts(200, ANSWER_LINES, null, NOW, limits);
      classify(forRequest(facts, asked), NOW);
    }],
    ["relay's lines", 2_000, () => void responseHeaders(ANSWER_LINES)],
    ["tap", 2_000, () => {
      const meter = new UsageMeter("application/json");
      meter.push(ANSWER);
      meter.finish();
    }],
    ["ledger", 10, () => {
      const entries = Array.from({ length: ROWS }, () => ledgerEntry());
      database.attempt(({ ledger }) => void ledger.write(entries));
    }],
    ["log", 2_000, () => void logLine(LOG_RECORD)],
  ];
}

/** A line of the log as a served request writes it. */
const LOG_RECORD = {
  at: NOW,
  level: "info",
  event: "request",
  fields: {
    id: "tc_0123456789abcdef0123",
    session: "50aead76",
    account: "work",
    model: "claude-opus-5-5",
    status: 200,
    ms: 812,
    ttft: 640,
    in: 25,
    read: 30_000,
    write: 0,
    out: 80,
    reason: "bound",
  },
} as const;

/** What each part is, in words. */
const WORDS: Readonly<Record<string, string>> = {
  head: "a client's head is read and parsed",
  peek: "the body is looked through",
  decide: "the account is chosen, and the pool takes the request's four events",
  "head out": "the request is written for the upstream",
  "head in": "the head of the answer is parsed",
  judge: "limit lines are read, the verdict is given",
  "relay's lines": "the lines for the client are chosen",
  tap: "the usage is read from the answer",
  ledger: "the row and its sums are written, in batches of 64",
  log: "the line is written out",
};

function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Returns the processor time of one run, in microseconds: the least of many. */
async function costOf([name, count, run]: Part): Promise<number> {
  let least = Infinity;
  for (let turn = 0; turn < WARM_UP + MEASUREMENTS; turn++) {
    const before = cpuUs();
    for (let at = 0; at < count; at++) {
      const running = run();
      if (running !== undefined) await running;
    }
    const us = (cpuUs() - before) / count;
    if (turn >= WARM_UP) least = Math.min(least, us);
  }
  return name === "ledger" ? least / ROWS : least;
}

/** Returns a table of the parts and of the whole life of a request. */
export async function partTable(bytes: number): Promise<string> {
  await using folder = new TempFolder();
  const database = new StateDatabase({
    path: folder.join("state.db"),
    writer: "bench",
    clock: realClock,
    journal: { log: () => {} },
    person: MANUAL_SHELL,
  });
  const lines = ["| part | µs | what it is |", "| --- | ---: | --- |"];
  for (const part of parts(bytes, database)) {
    const us = await costOf(part);
    lines.push(`| ${part[0]} | ${us.toFixed(1)} | ${WORDS[part[0]]} |`);
  }
  database.close();
  const life = new Life(bytes);
  const requests = bytes > 10_000 ? 64 : 1_000;
  const whole = await costOf(["life", 1, () => life.run(requests)]);
  lines.push(
    `| all but sockets and ledger | ${
      (whole / requests).toFixed(1)
    } | from the head that was read to the log line |`,
  );
  return lines.join("\n");
}

if (import.meta.main) {
  // deno-lint-ignore no-console
  console.log(await partTable(Number(Deno.args[0] ?? 2_000)));
  Deno.exit();
}
