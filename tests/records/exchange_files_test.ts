/** ExchangeFiles: what is written, what never is, and what is deleted. */

import { Secret } from "../../src/ports.ts";
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { ExchangeFiles } from "../../src/records/exchange_files.ts";
import { DAY_MS, instantFromMs } from "../../src/core/time.ts";
import type { ExchangeRecord } from "../../src/ports.ts";
import { ManualClock } from "../fixtures/manual_clock.ts";
import { requestRecord } from "../fixtures/ledger_rows.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { strictMode } from "../fixtures/file_abilities.ts";

const CLOCK = new ManualClock();

function exchange(parts: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return {
    record: requestRecord({ startedAt: CLOCK.now() }),
    target: "/v1/messages?beta=true&api_key=sk-ant-api03-FAKEFAKE",
    requestHeaders: [
      ["authorization", "Bearer sk-ant-oat01-FAKEFAKEFAKE"],
      ["x-api-key", "tc-local-key"],
      ["cookie", "sessionKey=FAKE"],
      ["user-agent", "claude-cli sk-ant-oat01-FAKEFAKEFAKE"],
      ["x-odd\u0007", "a\nb"],
    ],
    requestBody: new TextEncoder().encode('{"prompt":"private words"}'),
    answer: {
      headers: [
        ["content-type", "text/event-stream"],
        ["anthropic-ratelimit-unified-5h-utilization", "0.5"],
        ["set-cookie", "FAKE"],
      ],
      body: [new TextEncoder().encode("private answer")],
    },
    ...parts,
  };
}

interface Wish {
  readonly hasBodies?: boolean;
  readonly bytesMax?: number;
}

function filesIn(folder: string, wish: Wish = {}): ExchangeFiles {
  return new ExchangeFiles({
    folder,
    hasBodies: false,
    days: 7,
    bytesMax: 1e6,
    clock: CLOCK,
    journal: { log: () => {} },
    localKey: new Secret("the-local-key-of-tests"),
    labelOf: (id) => id,
    ...wish,
  });
}

async function names(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir(folder)) found.push(name);
  return found.sort();
}

async function onlyText(folder: string): Promise<string> {
  const [name = ""] = await names(folder);
  return await Deno.readTextFile(`${folder}/${name}`);
}

Deno.test("no credential and no body is in a file", async () => {
  await using folder = new TempFolder();
  const files = filesIn(folder.join("log"));
  files.finished(exchange());
  await files.close();
  const text = await onlyText(folder.join("log"));
  ok(!/FAKEFAKE|tc-local-key|sessionKey|private/.test(text), text);
  ok(text.startsWith("tc exchange v1\n"));
  ok(text.includes("anthropic-ratelimit-unified-5h-utilization: 0.5"));
  ok(text.includes("authorization: [secret]"));
  ok(text.includes("x-odd"));
  const [name = ""] = await names(folder.join("log"));
  await strictMode(folder.join("log", name), 0o600);
});

Deno.test("bodies are written only if the user asked for them", async () => {
  await using folder = new TempFolder();
  const files = filesIn(folder.join("log"), { hasBodies: true });
  files.finished(exchange());
  await files.close();
  const text = await onlyText(folder.join("log"));
  ok(text.includes("private words"));
  ok(text.includes("private answer"));
  ok(!text.includes("FAKEFAKE"));
});

Deno.test("the oldest files are removed when all are too large, only tc's own", async () => {
  await using folder = new TempFolder();
  const log = folder.join("log");
  await Deno.mkdir(log);
  const theirs = "tc-20200101T000000000Z-tc_00000000000000000000.txt";
  await Deno.writeTextFile(`${log}/${theirs}`, "not by tc ".repeat(200));
  await Deno.writeTextFile(`${log}/notes.txt`, "x".repeat(5_000));
  const old = filesIn(log, { bytesMax: 4_000 });
  for (let i = 0; i < 12; i++) old.finished(exchange());
  await old.close();
  const left = await names(log);
  ok(left.includes(theirs));
  ok(left.includes("notes.txt"));
  ok(left.length > 3 && left.length < 12, String(left.length));
});

Deno.test("files past their days are removed", async () => {
  await using folder = new TempFolder();
  const log = folder.join("log");
  const first = filesIn(log);
  const startedAt = instantFromMs(CLOCK.now() - 8 * DAY_MS);
  first.finished(exchange({ record: requestRecord({ startedAt }) }));
  await first.close();
  deepStrictEqual(await names(log), []);
  const second = filesIn(log);
  second.finished(exchange());
  await second.close();
  strictEqual((await names(log)).length, 1);
});

Deno.test("a folder that cannot be written stops no request", async () => {
  await using folder = new TempFolder();
  const blocked = folder.join("blocked");
  await Deno.writeTextFile(blocked, "");
  const told: unknown[] = [];
  const files = new ExchangeFiles({
    folder: blocked,
    hasBodies: false,
    days: 7,
    bytesMax: 1e6,
    clock: CLOCK,
    journal: { log: (...line) => told.push(line) },
    localKey: new Secret("the-local-key-of-tests"),
    labelOf: (id) => id,
  });
  for (let i = 0; i < 300; i++) files.finished(exchange());
  await files.close();
  strictEqual(told.length, 1);
});

Deno.test("waiting exchanges stay within their memory limit", async () => {
  await using folder = new TempFolder();
  for (const hasBodies of [true, false]) {
    const path = folder.join(String(hasBodies));
    const files = filesIn(path, { hasBodies, bytesMax: 1e9 });
    const requestBody = new Uint8Array(16 * 1024 * 1024);
    for (let count = 0; count < 12; count++) {
      files.finished(exchange({ requestBody }));
    }
    await files.close();
    // One is being written and three wait, of 16 MiB and a little more each.
    strictEqual((await names(path)).length, hasBodies ? 4 : 12);
  }
});

Deno.test("the local key is in no file, whatever header or body it came in", async () => {
  await using folder = new TempFolder();
  const key = "the-local-key-of-tests";
  const files = filesIn(folder.join("log"), { hasBodies: true });
  files.finished(exchange({
    target: `/v1/messages?x=${key}`,
    requestHeaders: [
      ["x-tc-key", key],
      ["x-custom", `a ${key} b`],
      ["anthropic-beta", key],
    ],
    requestBody: new TextEncoder().encode(`{"text":"${key}"}`),
  }));
  await files.close();
  const text = await onlyText(folder.join("log"));
  ok(!text.includes(key), text);
  ok(text.includes("x-custom: a [local key] b"), text);
});
