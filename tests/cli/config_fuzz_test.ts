/**
 * Damaged configs: each loads, or stops with the reason and the place, and the
 * file is left as it was.
 */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { dirname } from "node:path";
import { type Config } from "../../src/config/config.ts";
import { pathsFrom } from "../../src/system/paths.ts";
import { Shell } from "../../src/cli/shell.ts";
import { EXIT, TcError } from "../../src/errors.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { cleanVariables, TcPool } from "../fixtures/tc_process.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { trials } from "../fixtures/trials.ts";
import { needs } from "../fixtures/skipped.ts";

const CONFIG = `{
  // the port that Claude Code is told
  "proxy": { "port": 3460, "host": "127.0.0.1", "keylessLoopback": false },
  "upstream": "https://api.anthropic.com",
  "routing": { "policy": "pace", "planLimitsOnly": true },
  "hold": { "maxMs": 60000, "silentMs": 500 },
  "accounts": [
    { "name": "work", "priority": 1, "x-mine": "kept – as it is" },
    { "name": "home", "enabled": false, },
  ],
  "unknown": { "deep": [1, 2.5e3, -0, null, "\\u00e9\\n"] },
}
`;

/** Bits of each byte that are flipped. */
const BITS = trials(1, 8);

type Outcome =
  | { readonly kind: "loaded"; readonly config: Config }
  | { readonly kind: "refused"; readonly error: TcError };

class Home implements AsyncDisposable {
  readonly folder = new TempFolder();
  readonly variables = cleanVariables(this.folder.path);

  get file(): string {
    return pathsFrom(this.variables, Deno.build.os).configFile;
  }

  static async open(): Promise<Home> {
    const home = new Home();
    await Deno.mkdir(dirname(home.file), { recursive: true });
    return home;
  }

  /** Loads the config from `bytes`; the file must be the same afterwards. */
  async load(bytes: Uint8Array): Promise<Outcome> {
    await Deno.writeFile(this.file, bytes);
    const outcome = this.outcome();
    const after = await Deno.readFile(this.file);
    // Compared by hand: a deep comparison of each file costs too much.
    strictEqual(after.length, bytes.length);
    ok(after.every((byte, at) => byte === bytes[at]), "the file was changed");
    return outcome;
  }

  outcome(): Outcome {
    try {
      const { config } = new Shell({
        environment: this.variables,
        system: Deno.build.os,
      }, { input: false });
      return { kind: "loaded", config };
    } catch (error) {
      // Anything else is a fault of ours, not of the file.
      if (!(error instanceof TcError)) throw error;
      strictEqual(error.exitCode, EXIT.badConfig);
      ok(error.message.includes(this.file), error.message);
      return { kind: "refused", error };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.folder[Symbol.asyncDispose]();
  }
}

function encoded(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

Deno.test("a config cut at any byte stops with line and column", async () => {
  await using home = await Home.open();
  const whole = encoded(CONFIG);
  const body = CONFIG.trimEnd().length;
  let refused = 0;
  for (let length = 1; length < whole.length; length++) {
    const outcome = await home.load(whole.subarray(0, length));
    if (outcome.kind === "loaded") {
      // Only spaces and the end of the line may be missing.
      ok(length >= encoded(CONFIG.slice(0, body)).length, `cut at ${length}`);
      continue;
    }
    refused++;
    match(outcome.error.message, /line \d+, column \d+|not UTF-8/);
  }
  strictEqual(refused, encoded(CONFIG.slice(0, body)).length - 1);
});

Deno.test("a config with any bit flipped loads or says what is wrong", async () => {
  await using home = await Home.open();
  const whole = encoded(CONFIG);
  const counts = { loaded: 0, refused: 0 };
  for (let at = 0; at < whole.length; at++) {
    for (let bit = 0; bit < BITS; bit++) {
      const damaged = whole.slice();
      // One bit a byte in the short run, another for each byte.
      damaged[at] = (damaged[at] ?? 0) ^ (1 << ((bit + at) % 8));
      const { kind } = await home.load(damaged);
      counts[kind]++;
    }
  }
  strictEqual(counts.loaded + counts.refused, whole.length * BITS);
  ok(counts.refused > counts.loaded, JSON.stringify(counts));
});

Deno.test("byte order marks, line ends and other encodings", async () => {
  await using home = await Home.open();
  const loads = async (bytes: Uint8Array) => {
    const outcome = await home.load(bytes);
    ok(outcome.kind === "loaded", JSON.stringify(outcome));
    strictEqual(outcome.config.settings.proxy.port, 3460);
  };
  await loads(encoded(`\ufeff${CONFIG}`));
  await loads(encoded(CONFIG.replaceAll("\n", "\r\n")));

  const refusals: readonly (readonly [name: string, bytes: Uint8Array])[] = [
    [
      "UTF-16",
      new Uint8Array(
        Uint16Array.from(
          [0xfeff, ...CONFIG].map((c) =>
            typeof c === "string" ? c.charCodeAt(0) : c
          ),
        ).buffer,
      ),
    ],
    ["10 MB", new Uint8Array(10 * 1024 * 1024).fill(0x20)],
    ["10,000 levels", encoded("[".repeat(10_000))],
    ["an array", encoded("[1]")],
    ["a number", encoded("7")],
    ["zeros", new Uint8Array(4096)],
  ];
  for (const [name, bytes] of refusals) {
    const { kind } = await home.load(bytes);
    strictEqual(kind, "refused", name);
  }
  const empty = await home.load(new Uint8Array());
  strictEqual(empty.kind, "loaded");
});

Deno.test({
  name:
    "a folder, a pipe and a device in the config's place are refused at once",
  ignore: needs("pipes"),
  fn: async () => {
    await using home = await Home.open();
    await Deno.mkdir(home.file);
    strictEqual(home.outcome().kind, "refused");
    await Deno.remove(home.file);
    await new Deno.Command("mkfifo", { args: [home.file] }).output();
    strictEqual(home.outcome().kind, "refused");
    await Deno.remove(home.file);
    await Deno.symlink("/dev/zero", home.file);
    strictEqual(home.outcome().kind, "refused");
  },
});

Deno.test("no command overwrites a damaged config", async () => {
  await using api = await startScriptedApi();
  api.account("work", { tier: "max_5x" });
  await using pool = await TcPool.of(api);
  const { configFile } = pool.paths;
  const before = await Deno.readFile(configFile);
  await Deno.writeTextFile(configFile, '{\n  "proxy": { "port": 1\n');
  const damaged = await Deno.readFile(configFile);
  for (
    const args of [
      ["config", "set", "proxy.port", "3470"],
      ["disable", "work"],
      ["server", "--headless"],
      ["status"],
    ]
  ) {
    const { code, stderr } = await pool.tc(args);
    strictEqual(code, EXIT.badConfig, `${args.join(" ")}: ${stderr}`);
    match(stderr, /line \d+, column \d+/);
    deepStrictEqual(await Deno.readFile(configFile), damaged);
  }
  await Deno.writeFile(configFile, before);
});
