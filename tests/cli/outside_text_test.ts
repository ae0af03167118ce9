/** Names and settings from outside never lock the user out. */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { configFrom } from "../../src/config/config.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";

const ODD_NAMES = [
  `${"very-long-".repeat(11)}@example.com`,
  "",
  "\u001b]0;owned\u0007\u202ework",
  "\n\t",
];

// deno-lint-ignore no-control-regex
const OBEYED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/;

Deno.test("accounts with invalid names are served, listed, and renamed", async () => {
  await using api = await startScriptedApi();
  for (const number of ODD_NAMES.keys()) api.account(`a${number}`);
  await using pool = await TcPool.of(api, { usage: { poll: false } });
  const vault = await pool.vault();
  const { entries } = await vault.list();
  for (const [number, entry] of entries.entries()) {
    await vault.update(entry.id, (now) => ({
      ...now,
      label: ODD_NAMES[number] ?? "",
    }));
  }
  // Its rows as an older tc wrote them.
  const config = JSON.parse(await Deno.readTextFile(pool.paths.configFile));
  const accounts = entries.map(({ id }, number) => ({
    id,
    name: ODD_NAMES[number],
  }));
  await Deno.writeTextFile(
    pool.paths.configFile,
    JSON.stringify({
      ...config,
      accounts: [...accounts, { id: "x", name: 7 }],
    }),
  );
  const listed = await pool.tc(["accounts"]);
  strictEqual(listed.code, 0, listed.stderr);
  ok(!OBEYED.test(listed.stdout + listed.stderr));
  match(listed.stdout, /very-long-/);
  const renamed = await pool.tc(["rename", entries[1]?.id ?? "", "office"]);
  strictEqual(renamed.code, 0, renamed.stderr);
  for (const args of [["status"], ["swap", "list"], ["doctor"], ["capacity"]]) {
    const { code, stdout, stderr } = await pool.tc(args);
    ok(code !== 78, stderr);
    ok(!OBEYED.test(stdout + stderr), args.join(" "));
  }
});

Deno.test("a section of the wrong kind is refused and never overwritten", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const { configFile } = pool.paths;
  const before = await Deno.readTextFile(configFile);
  const cases = [
    [
      '{"proxy":4000}',
      /Cannot use proxy in .*: it must be an object such as \{"port": 3456\}/,
    ],
    ['{"routing":["a"]}', /Cannot use routing in .*: it must be an object/],
    ['{"hold":null}', /Cannot use hold in/],
    ['{"log":"debug"}', /Cannot use log in/],
  ] as const;
  for (const [text, said] of cases) {
    await Deno.writeTextFile(configFile, text);
    for (
      const args of [
        ["config", "show"],
        ["config", "set", "proxy.port", "4000"],
        ["config", "set", "routing.policy", "balance"],
        ["config", "set", "hold.maxMs", "1"],
      ]
    ) {
      const { code, stderr } = await pool.tc(args);
      strictEqual(code, 78, `${text} ${args.join(" ")}`);
      match(stderr, said);
      strictEqual(await Deno.readTextFile(configFile), text);
    }
  }
  await Deno.writeTextFile(configFile, before);
});

Deno.test("tc config set checks what the reader checks, and quotes the value as typed", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const before = await Deno.readTextFile(pool.paths.configFile);
  const refused = [
    [
      "proxy.port",
      "abc",
      /Cannot set proxy.port to "abc": it must be a whole number/,
    ],
    [
      "proxy.apiKey",
      "x",
      /Cannot set proxy.apiKey to that: it must be 8 to 256/,
    ],
    ["proxy.apiKey", "two words!", /Cannot set proxy.apiKey/],
    ["upstream", "http://192.168.1.5:8080", /plain http: anyone/],
    ["oauth.tokenUrl", "http://login.example/token", /plain http/],
    ["proxy.port", "\u001b[2J", /Cannot set proxy.port/],
  ] as const;
  for (const [key, value, said] of refused) {
    const { code, stderr } = await pool.tc(["config", "set", key, value]);
    strictEqual(code, 78, `${key} ${value}`);
    match(stderr, said);
    ok(!stderr.includes("null") && !stderr.includes("\u001b"), stderr);
    ok(!stderr.includes("two words"), "the key is not repeated");
    strictEqual(await Deno.readTextFile(pool.paths.configFile), before);
  }
  for (
    const args of [["insecureHttp", "true"], ["upstream", "http://10.1.2.3"]]
  ) {
    const { code, stderr } = await pool.tc(["config", "set", ...args]);
    strictEqual(code, 0, stderr);
  }
  const { code } = await pool.tc(["config", "set", "insecureHttp", "false"]);
  strictEqual(code, 78);
  await Deno.writeTextFile(pool.paths.configFile, before);
});

Deno.test("plain http is accepted on loopback, and elsewhere only with insecureHttp", () => {
  function isTaken(document: unknown, variables = {}): boolean {
    try {
      configFrom({
        file: "/config.json",
        text: JSON.stringify(document),
        environment: variables,
        flags: {},
      });
      return true;
    } catch {
      return false;
    }
  }
  const taken = [
    "https://api.anthropic.com",
    "http://localhost:1",
    "http://127.9.9.9",
    "http://[::1]:4000",
  ];
  const refused = [
    "http://10.0.0.1",
    "http://127.0.0.1.example",
    "http://host",
  ];
  deepStrictEqual(taken.filter((upstream) => !isTaken({ upstream })), []);
  deepStrictEqual(refused.filter((upstream) => isTaken({ upstream })), []);
  const [remote] = refused;
  strictEqual(isTaken({ accounts: [{ upstream: remote }] }), false);
  strictEqual(isTaken({}, { TC_UPSTREAM: remote }), false);
  strictEqual(isTaken({ update: { releases: remote } }), false);
  strictEqual(isTaken({ upstream: remote, insecureHttp: true }), true);
});
