/** The report for an issue: listed, written once, without a secret. */

import { match, ok, strictEqual } from "node:assert/strict";
import { join } from "node:path";
import { settingRows } from "../../src/config/settings.ts";
import { redacted } from "../../src/cli/doctor/bugreport.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";

Deno.test("redacted() takes secrets, e-mails and the home folder out", () => {
  const text = [
    "token sk-ant-oat01-FAKEabc_def-123 end",
    "GET http://127.0.0.1:3456/k/tc-abcdefghijklmnopqrstuvwxyz/v1/messages",
    "Authorization: Bearer abc.def-ghi=",
    "proxy http://ann:hunter2@proxy.example:3128",
    "mail ann.b+c@example.co.uk",
    "file /home/ann/.config/tc/config.json",
  ].join("\n");
  strictEqual(
    redacted(text, "/home/ann"),
    [
      "token [secret] end",
      "GET http://127.0.0.1:3456/k/[key]/v1/messages",
      "Authorization: Bearer [secret]",
      "proxy http://[secret]@proxy.example:3128",
      "mail [e-mail]",
      "file ~/.config/tc/config.json",
    ].join("\n"),
  );
});

Deno.test("redacted() takes every spelling of a password in an address", () => {
  for (const secret of [":hunter2", "hunter2", "ann:hun@ter2", "ann:hunter2"]) {
    strictEqual(
      redacted(`"upstreamProxy":"http://${secret}@localhost:3128/x"`, "/"),
      '"upstreamProxy":"http://[secret]@localhost:3128/x"',
    );
  }
  strictEqual(redacted("von jörg@bücher.example:", "/"), "von [e-mail]:");
});

Deno.test("tc bugreport lists its parts, writes once, and holds no canary", async () => {
  await using api = await startScriptedApi();
  api.account("work", { tier: "max_5x" });
  await using pool = await TcPool.of(api);
  const canary = "sk-ant-api03-FAKE-canary";
  await Deno.mkdir(pool.paths.stateFolder, { recursive: true, mode: 0o700 });
  await Deno.writeTextFile(
    join(pool.paths.stateFolder, "server.log"),
    `2026 error fault="${canary} ann@example.com"\n`,
  );
  const file = pool.folder.join("report.txt");
  const env = { ANTHROPIC_API_KEY: canary };
  const asked = await pool.tc(["bugreport", "--output", file], env);
  strictEqual(asked.code, 2, asked.stderr);
  match(asked.stderr, /doctor \(\d+ lines\)[^]*Needs confirmation/);
  const args = ["bugreport", "--output", file, "--yes"];
  strictEqual((await pool.tc(args, env)).code, 0);
  const text = await Deno.readTextFile(file);
  match(text, /== version\ntc \d/);
  match(text, /ANTHROPIC_API_KEY/);
  ok(!text.includes(canary), "a secret");
  ok(!text.includes("ann@example.com"), "an e-mail address");
  ok(!text.includes(pool.folder.path), "the home folder");
  strictEqual((await pool.tc(args, env)).code, 73);
});

Deno.test("redacted() takes time linear in the length of the text", () => {
  const texts = [
    "a".repeat(400_000),
    "a.".repeat(200_000),
    "eyJ-".repeat(100_000),
    "tc-".repeat(100_000),
    "Bearer ".repeat(60_000),
    "//a".repeat(100_000),
    `${"x".repeat(200_000)}@`,
    "a@".repeat(200_000),
    `a@${"b".repeat(300_000)}`,
  ];
  for (const text of texts) {
    const startedMs = performance.now();
    redacted(text, "/home/ann");
    const tookMs = performance.now() - startedMs;
    ok(tookMs < 1_500, `${tookMs} ms for ${text.slice(0, 8)}…`);
  }
});

Deno.test("no setting that is a secret is printed by any command that prints settings", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const secrets = settingRows().filter(({ isSecret }) => isSecret);
  ok(secrets.length >= 3);
  for (const [index, { key }] of secrets.entries()) {
    const value = key === "notify.webhook"
      ? `https://example.com/canary-${index}`
      : key === "store.url"
      ? `postgres://me:canary-${index}@db.example.com/tc`
      : key === "otel.headers"
      ? `authorization=canary-${index}`
      : `canary-${index}-secret`;
    const set = await pool.tc(["config", "set", key, value]);
    strictEqual(set.code, 0, set.stderr);
    ok(!(set.stdout + set.stderr).includes("canary"), set.stdout);
  }
  const file = pool.folder.join("report.txt");
  for (
    const args of [
      ["config"],
      ["config", "show"],
      ["config", "show", "--all"],
      ["config", "show", "--all", "--origin"],
      ["config", "show", "--all", "--json"],
      ["doctor"],
      ["paths"],
      ["bugreport", "--output", file, "--yes"],
    ]
  ) {
    const { stdout, stderr } = await pool.tc(args);
    ok(!(stdout + stderr).includes("canary"), args.join(" "));
  }
  ok(!(await Deno.readTextFile(file)).includes("canary"), "the report");
});
