/** Log lines that cannot be written: counted, told, and never waited for. */

import {
  deepStrictEqual,
  match,
  ok,
  strictEqual,
  throws,
} from "node:assert/strict";
import {
  LOG_BYTES_MAX,
  LogFile,
  type LogLoss,
  LogStream,
  LossCount,
} from "../../src/records/log/log_sink.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { canMount, SmallDisk } from "../fixtures/mounts.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { needs } from "../fixtures/skipped.ts";

function lossTold(): { loss: LossCount; told: (LogLoss | null)[] } {
  const loss = new LossCount("there");
  const told: (LogLoss | null)[] = [];
  loss.watch((news) => told.push(news));
  return { loss, told };
}

Deno.test("LogStream does not wait for its reader, bounds its queue and counts losses", async () => {
  const { loss, told } = lossTold();
  let written = "";
  const reader = Promise.withResolvers<void>();
  const stream = new LogStream({
    write: async (bytes) => {
      await reader.promise;
      // A pipe takes what it has room for.
      const taken = bytes.subarray(0, 1_000);
      written += new TextDecoder().decode(taken);
      return taken.length;
    },
  }, loss);
  for (let line = 0; line < 5_000; line++) stream.write(`line ${line}\n`);
  const startedMs = performance.now();
  await stream.close();
  ok(performance.now() - startedMs < 5_000);
  strictEqual(written, "");
  match(told[0]?.reason ?? "", /no more/);
  reader.resolve();
  await stream.close();
  const lines = written.trimEnd().split("\n");
  const gap = lines.find((line) => /could not be written/.test(line));
  const lost = Number(gap?.split(" ")[0]);
  strictEqual(lines.length - 1 + lost, 5_000);
  strictEqual(told.at(-1), null);
  loss.close();
});

Deno.test("LogStream continues after a stall, and says how many lines are missing", async () => {
  const { loss, told } = lossTold();
  const stream = new LogStream({
    write: () => Promise.reject(new Deno.errors.BrokenPipe("Broken pipe")),
  }, loss);
  stream.write("one\n");
  stream.write("two\n");
  await stream.close();
  stream.write("three\n");
  await stream.close();
  await realClock.sleep(1_100);
  deepStrictEqual(told.at(-1), {
    where: "there",
    reason: "Broken pipe",
    lines: 3,
  });
  loss.close();
});

Deno.test("LogFile rotates a file that has grown too large", async () => {
  await using folder = new TempFolder();
  const { loss } = lossTold();
  const path = folder.join("logs", "server.log");
  const file = new LogFile(path, loss);
  file.write(`${"x".repeat(LOG_BYTES_MAX)}\n`);
  await realClock.sleep(1_100);
  file.write("first of the next\n");
  await file.close();
  strictEqual(await Deno.readTextFile(path), "first of the next\n");
  strictEqual((await Deno.stat(`${path}.1`)).size, LOG_BYTES_MAX + 1);
  loss.close();
});

Deno.test({
  name: "LogFile follows no link, and does not write into another user's file",
  ignore: needs("modes"),
  fn: async () => {
    await using folder = new TempFolder();
    const { loss } = lossTold();
    const victim = folder.join("victim");
    await Deno.writeTextFile(victim, "mine\n");
    const path = folder.join("server.log");
    await Deno.symlink(victim, path);
    throws(() => new LogFile(path, loss), /it is a link/);
    strictEqual(await Deno.readTextFile(victim), "mine\n");
    loss.close();
  },
});

Deno.test({
  name: "LogFile counts what a full disk refuses, and continues afterwards",
  // Needs the right to mount a small disk.
  ignore: !canMount(),
  fn: async () => {
    await using folder = new TempFolder();
    const { loss, told } = lossTold();
    await Deno.mkdir(folder.join("small"));
    using disk = new SmallDisk(folder.join("small"), "64k");
    const path = folder.join("small", "server.log");
    const file = new LogFile(path, loss);
    disk.fill();
    for (let line = 0; line < 4; line++) file.write("lost\n");
    match(told[0]?.reason ?? "", /No space/);
    disk.free();
    await realClock.sleep(1_100);
    file.write("kept\n");
    await file.close();
    const text = await Deno.readTextFile(path);
    match(text, /^\n?kept\n4 log lines could not be written here\n$/);
    strictEqual(told.at(-1), null);
    loss.close();
  },
});
