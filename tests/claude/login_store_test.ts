/** Claude Code's own store on three systems; macOS by a fake of its tool. */

import "../fixtures/clean_environment.ts";
import {
  deepStrictEqual,
  match,
  ok,
  rejects,
  strictEqual,
} from "node:assert/strict";
import { join } from "node:path";
import { claudeFolder } from "../../src/claude/claude_folder.ts";
import { helperCommand, isOurHelper } from "../../src/claude/api_key_helper.ts";
import { ClaudeLoginStore } from "../../src/claude/login/login_store.ts";
import { lockRefresh } from "../../src/claude/login/refresh_lock.ts";
import { after, instantFromMs } from "../../src/core/time.ts";
import {
  type CommandOutcome,
  type CommandRunner,
  RefreshToken,
  Secret,
} from "../../src/ports.ts";
import { ForeignTexts } from "../../src/store/files/foreign_text.ts";
import type { ClaudeLogin } from "../../src/wire/claude_credential.ts";
import { TcError } from "../../src/errors.ts";
import { ManualClock } from "../fixtures/manual_clock.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { keepsBirth } from "../fixtures/file_abilities.ts";

const LOGIN: ClaudeLogin = {
  credential: {
    kind: "oauth",
    accessToken: new Secret("sk-ant-oat01-FAKE-a"),
    refreshToken: new RefreshToken("sk-ant-ort01-FAKE-a"),
    expiresAt: instantFromMs(2_000_000_000_000),
    scopes: ["user:inference"],
    signInEndsAt: null,
  },
  identity: null,
  subscriptionType: "max",
  rateLimitTier: null,
};

/** `security` in memory, by account and service. */
class FakeSecurity implements CommandRunner {
  readonly items = new Map<string, string>();
  readonly argumentLists: string[] = [];
  /** How it prints what it holds. */
  print: "text" | "hex" = "text";
  state: "open" | "locked" | "forgetful" = "open";

  run(
    command: string,
    args: readonly string[],
    { stdin }: { readonly stdin: string },
  ): Promise<CommandOutcome> {
    this.argumentLists.push([command, ...args].join(" "));
    return Promise.resolve(this.#answer(args, stdin));
  }

  #answer(args: readonly string[], stdin: string): CommandOutcome {
    if (this.state === "locked") return exited(36);
    const words = args[0] === "-i"
      ? (stdin.trim().match(/"[^"]*"|\S+/g) ?? [])
        .map((word) => word.replace(/^"|"$/g, ""))
      : args;
    const of = (flag: string) => words[words.indexOf(flag) + 1] ?? "";
    const key = `${of("-a")}\n${of("-s")}`;
    if (words[0] === "add-generic-password") {
      if (this.state === "open") this.items.set(key, of("-X"));
      return exited(0);
    }
    const hex = this.items.get(key);
    if (hex === undefined) return exited(44);
    const text = new TextDecoder().decode(Uint8Array.fromHex(hex));
    return exited(0, `${this.print === "hex" ? hex : text}\n`);
  }
}

function hexText(hex: string): string {
  return new TextDecoder().decode(Uint8Array.fromHex(hex));
}

function textHex(text: string): string {
  return new TextEncoder().encode(text).toHex();
}

function exited(code: number, stdout = ""): CommandOutcome {
  return { kind: "exited", code, stdout, stderr: "" };
}

function macStore(
  runner: FakeSecurity,
  folder: string,
  more: Readonly<Record<string, string>> = {},
): ClaudeLoginStore {
  const found = claudeFolder({
    environment: { HOME: folder, USER: "ada", ...more },
    system: "darwin",
    userName: null,
  });
  return new ClaudeLoginStore(found, {
    files: new ForeignTexts(),
    runner,
    clock: realClock,
  });
}

Deno.test("on macOS the login is in the keychain, and in no argument", async () => {
  const security = new FakeSecurity();
  const store = macStore(security, "/Users/ada");
  const before = await store.read();
  strictEqual(before.reading.kind, "absent");
  ok(await store.replace(before, LOGIN));
  deepStrictEqual([...security.items.keys()], [
    "ada\nClaude Code-credentials",
  ]);
  for (const print of ["text", "hex"] as const) {
    security.print = print;
    const { reading } = await store.read();
    ok(reading.kind === "found");
    ok(reading.login.credential.accessToken.equals(
      LOGIN.credential.accessToken,
    ));
  }
  for (const line of security.argumentLists) {
    ok(!line.includes("sk-ant") && !line.includes("736b2d616e74"), line);
  }
});

Deno.test("on macOS a folder of its own has an item of its own", () => {
  const service = (named: string) =>
    macStore(new FakeSecurity(), "/Users/ada", { CLAUDE_CONFIG_DIR: named })
      .location;
  // printf '%s' /Users/ada/.claude-work | sha256sum
  strictEqual(
    service("/Users/ada/.claude-work"),
    "Claude Code-credentials-6a5b8464",
  );
  // The client takes the variable as it is written (2.1.329).
  // printf '%s' /Users/ada/.claude-work/ | sha256sum
  strictEqual(
    service("/Users/ada/.claude-work/"),
    "Claude Code-credentials-2bc89541",
  );
  strictEqual(
    service("/Users/ada/caf\u0065\u0301"),
    service("/Users/ada/caf\u00e9"),
  );
});

Deno.test("on macOS a keychain that changed, is locked or forgets is told", async () => {
  const security = new FakeSecurity();
  const store = macStore(security, "/Users/ada");
  const before = await store.read();
  ok(await store.replace(before, LOGIN));
  // It is no longer what was read.
  strictEqual(await store.replace(before, LOGIN), false);
  security.state = "locked";
  await rejects(store.read(), { code: "keychain_refused" });
  security.state = "forgetful";
  const now = await store.read();
  await rejects(
    store.replace(now, { ...LOGIN, rateLimitTier: "another" }),
    { code: "keychain_refused" },
  );
});

Deno.test("on macOS what is too long for security goes in by no other way", async () => {
  const security = new FakeSecurity();
  const store = macStore(security, "/Users/ada");
  const long = new Secret(`sk-ant-oat01-FAKE-${"x".repeat(3_000)}`);
  await rejects(
    store.replace(await store.read(), {
      ...LOGIN,
      credential: { ...LOGIN.credential, accessToken: long },
    }),
    { code: "keychain_refused" },
  );
  strictEqual(security.items.size, 0);
});

Deno.test("on macOS a successor that would be too long is known before anything is spent", async () => {
  const security = new FakeSecurity();
  const store = macStore(security, "/Users/ada");
  await store.replace(await store.read(), LOGIN);
  strictEqual(await store.obstacle(), null);
  // MCP servers keep their logins in the same item.
  const [key = ""] = security.items.keys();
  const login = JSON.parse(hexText(security.items.get(key) ?? ""));
  for (const length of [500, 1_500, 2_500]) {
    const more = { ...login, mcpOAuth: { server: "x".repeat(length) } };
    security.items.set(key, textHex(JSON.stringify(more)));
    const before = await store.read();
    const obstacle = await store.obstacle();
    const written = await store.renew(before, LOGIN).catch(() => false);
    strictEqual(obstacle === null, written, `${length}: ${obstacle}`);
    strictEqual(written, length < 2_000);
  }
  security.state = "locked";
  match(
    await store.obstacle() ?? "",
    /^Cannot use Claude Code's keychain item/,
  );
});

Deno.test("on Windows and Linux the login is a file in the config folder", () => {
  for (
    const [system, environment] of [
      ["windows", { USERPROFILE: "/Users/ada" }],
      ["linux", { HOME: "/Users/ada" }],
    ] as const
  ) {
    const found = claudeFolder({ environment, system, userName: null });
    deepStrictEqual(found.login, {
      kind: "file",
      path: join("/Users/ada/.claude/.credentials.json"),
    });
    strictEqual(found.identityFile, join("/Users/ada/.claude.json"));
    const named = claudeFolder({
      environment: { ...environment, CLAUDE_CONFIG_DIR: "/x/y/" },
      system,
      userName: null,
    });
    strictEqual(named.identityFile, join("/x/y/.claude.json"));
    strictEqual(named.settingsFile, join("/x/y/settings.json"));
  }
});

Deno.test("lockRefresh() keeps the client's renewals out, and clears what a crash left", async () => {
  await using folder = new TempFolder();
  const lock = folder.join(".oauth_refresh.lock");
  const first = await lockRefresh(folder.path, realClock, 1_000);
  ok((await Deno.stat(lock)).isDirectory);
  await rejects(lockRefresh(folder.path, realClock, 150), {
    code: "lock_timeout",
  });
  first.release();
  first.release();
  await Deno.mkdir(lock);
  await Deno.utime(lock, 1_000, 1_000);
  // It is watched for a while: the clock alone may have been set forward.
  const quick = {
    ...realClock,
    monotonicMs: () => realClock.monotonicMs() * 50,
  };
  const second = await lockRefresh(folder.path, quick, 60_000);
  second.release();
  await rejects(Deno.stat(lock), Deno.errors.NotFound);
});

Deno.test({
  name:
    "lockRefresh() clears the lock of a tc that has died at once, and of no other",
  ignore: !await keepsBirth(),
  fn: clearsTheDead,
});

async function clearsTheDead(): Promise<void> {
  await using folder = new TempFolder();
  const lock = folder.join(".oauth_refresh.lock");
  const script = `
    import { lockRefresh } from "${new URL(
    "../../src/claude/login/refresh_lock.ts",
    import.meta.url,
  )}";
    import { realClock } from "${new URL(
    "../fixtures/real_ports.ts",
    import.meta.url,
  )}";
    await lockRefresh(${JSON.stringify(folder.path)}, realClock, 1_000);
    console.log("held");
    await new Promise(() => setInterval(() => {}, 1_000));
  `;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", script],
    stdout: "piped",
    stderr: "inherit",
    stdin: "null",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  await rejects(lockRefresh(folder.path, realClock, 1_500), {
    code: "lock_timeout",
  });
  child.kill("SIGKILL");
  await child.status;
  await reader.cancel();
  ok((await Deno.stat(lock)).isDirectory);
  const taken = await lockRefresh(folder.path, realClock, 1_000);
  taken.release();
  // The note of the dead does not clear a lock that came later.
  await Deno.writeTextFile(
    `${lock}.tc`,
    JSON.stringify({
      lock: "1 1",
      holder: { pid: child.pid, mark: null, domain: "x" },
    }),
  );
  await Deno.mkdir(lock);
  await rejects(lockRefresh(folder.path, realClock, 300), {
    code: "lock_timeout",
  });
}

Deno.test("lockRefresh() waits for a holder whose touches the clock calls old", async () => {
  await using folder = new TempFolder();
  const first = await lockRefresh(folder.path, realClock, 1_000);
  // Another process whose clock is an hour ahead, and quick in its waiting.
  const ahead = {
    ...realClock,
    now: () => after(realClock.now(), 3_600_000),
    monotonicMs: () => realClock.monotonicMs() * 4,
  };
  await rejects(lockRefresh(folder.path, ahead, 12_000), {
    code: "lock_timeout",
  });
  ok((await Deno.stat(folder.join(".oauth_refresh.lock"))).isDirectory);
  first.release();
});

Deno.test("lockRefresh() keeps its lock fresh, and leaves one that was taken from it", async () => {
  await using folder = new TempFolder();
  const path = folder.join(".oauth_refresh.lock");
  const clock = new ManualClock();
  const touchedAt = async () => (await Deno.stat(path)).mtime?.getTime();
  const first = await lockRefresh(folder.path, clock, 1_000);
  await clock.advance(90_000);
  // The client takes a lock of more than a minute for a dead one's.
  ok(clock.now() - (await touchedAt() ?? 0) < 10_000);
  strictEqual(clock.sleeping, 1);
  first.release();
  strictEqual(clock.sleeping, 0);

  const second = await lockRefresh(folder.path, clock, 1_000);
  const taken = (clock.now() + 300_000) / 1_000;
  await Deno.utime(path, taken, taken);
  await clock.advance(10_000);
  second.release();
  strictEqual(await touchedAt(), taken * 1_000);
});

Deno.test("lockRefresh() says why where no lock can be had", async () => {
  await using folder = new TempFolder();
  const file = folder.join("file");
  await Deno.writeTextFile(file, "");
  await rejects(lockRefresh(join(file, ".claude"), realClock, 100), (error) => {
    ok(error instanceof TcError && error.hint !== null);
    ok(error.message.includes(join(file, ".claude")), error.message);
    return true;
  });
});

Deno.test("isOurHelper() knows every spelling of ours and no other helper", () => {
  for (
    const words of [
      ["/usr/local/bin/tc"],
      ["/opt/my tools/tc"],
      ["/usr/bin/deno", "run", "-A", "file:///src/main.ts"],
    ]
  ) {
    for (const system of ["linux", "windows"]) {
      const helper = helperCommand([...words, "swap", "helper"], system);
      ok(isOurHelper(helper, "/opt/tc swap helper"), helper);
    }
  }
  for (
    const helper of [
      "/bin/vault-key",
      "etc swap helper --x",
      "/usr/bin/other swap helper",
      "claude-pool helper",
    ]
  ) ok(!isOurHelper(helper, "/opt/tc swap helper"), helper);
  ok(isOurHelper("/opt/pool swap helper", "/opt/pool swap helper"));
});
