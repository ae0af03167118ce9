/**
 * One login, held by the real client and by tc, at a provider whose refresh
 * tokens are spent once: whoever renews, both live on.
 */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { testEachClaude } from "../fixtures/claude_code.ts";
import { instantFromMs } from "../../src/core/time.ts";
import { canMount, mount, unmount } from "../fixtures/mounts.ts";
import { loginText } from "../fixtures/swap_kit.ts";
import { SwapStage } from "../fixtures/swap_stage.ts";
import type { ProcessEnd } from "../fixtures/tc_process.ts";

function assertRun(run: ProcessEnd, stdout: RegExp = /(?:)/): void {
  strictEqual(run.code, 0, run.stderr + run.stdout);
  match(run.stdout, stdout);
}

function credentials(stage: SwapStage): string {
  return `${stage.home}/.claude/.credentials.json`;
}

/** The client's login is over, by its own note and by the provider's word. */
async function endAccess(stage: SwapStage, ...names: string[]): Promise<void> {
  for (const name of names) stage.api.account(name).expire();
  const login = await stage.login();
  await Deno.writeTextFile(
    credentials(stage),
    JSON.stringify({ claudeAiOauth: { ...login, expiresAt: Date.now() - 1 } }),
  );
}

/** What tc renewed a moment ago it takes for old: nobody waits for that here. */
async function age(stage: SwapStage): Promise<void> {
  const vault = await stage.pool.vault();
  for (const { id } of (await vault.list()).entries) {
    await vault.update(id, (entry) => ({
      ...entry,
      savedAt: instantFromMs(0),
    }));
  }
  assertRun(await stage.tc("reload"));
}

/** One message through the pool, as a program sends it that is no client. */
async function ask(stage: SwapStage): Promise<string> {
  const answer = await fetch(`${await stage.pool.baseUrl()}/v1/messages`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "anthropic-version": "2023-06-01",
    },
    body: JSON.stringify({
      model: "claude-opus-5-5",
      max_tokens: 100,
      messages: [{ role: "user", content: "demo:say served" }],
    }),
  });
  return `${answer.status} ${await answer.text()}`;
}

/** The client's own login, imported into an empty pool whose server runs. */
async function importedLogin(
  version: Parameters<Parameters<typeof testEachClaude>[1]>[0],
): Promise<SwapStage> {
  const stage = await SwapStage.open([], undefined, {
    version,
    hasHosts: true,
  });
  stage.api.account("work");
  await stage.signIn("work");
  assertRun(await stage.tc("import", "--yes"), /work@demo\.example {2}added/);
  return stage;
}

async function serve(stage: SwapStage): Promise<void> {
  // A server of its own in the background, as `tc run` starts it.
  assertRun(
    await stage.tc("run", "--", "--version"),
    /Claude Code/,
  );
}

testEachClaude(
  "a login that the client renewed overnight serves both in the morning",
  async (version) => {
    await using stage = await importedLogin(version);
    await serve(stage);
    const first = await stage.login();
    // The client renews alone: what the vault has is spent.
    await endAccess(stage, "work");
    assertRun(await stage.turn(["demo:say one"]), /^one/);
    const second = await stage.login();
    ok(first?.["refreshToken"] !== second?.["refreshToken"]);
    // Then both access tokens run out, and the pool is asked first.
    await endAccess(stage, "work");
    match(await ask(stage), /^200 .*served/);
    // What tc renewed is the client's as well, before its next turn.
    const third = await stage.login();
    ok(third?.["refreshToken"] !== second?.["refreshToken"]);
    assertRun(await stage.turn(["demo:say two"]), /^two/);
    await endAccess(stage, "work");
    assertRun(await stage.turn(["demo:say three"]), /^three/);
    assertRun(await stage.tc("swap", "list"));
    match(await ask(stage), /^200 .*served/);
    const { reuses, killed } = stage.api.families();
    deepStrictEqual({ reuses, killed }, { reuses: 0, killed: 0 });
  },
);

testEachClaude(
  "a login whose access token is over is imported, run and imported again",
  async (version) => {
    await using stage = await SwapStage.open([], undefined, {
      version,
      hasHosts: true,
    });
    stage.api.account("work");
    await stage.signIn("work");
    await endAccess(stage, "work");
    assertRun(await stage.tc("import", "--yes"), /added/);
    assertRun(
      await stage.tc(
        "run",
        "--",
        "--dangerously-skip-permissions",
        "-p",
        "demo:say hi",
      ),
      /^hi/,
    );
    assertRun(await stage.tc("import", "--yes"), /updated|already there/);
    await age(stage);
    await endAccess(stage, "work");
    match(await ask(stage), /^200 .*served/);
    assertRun(await stage.turn(["demo:say two"]), /^two/);
    const { accounts } = await stage.pool.json(["accounts"]);
    strictEqual((accounts as readonly unknown[]).length, 1);
    const { reuses, killed } = stage.api.families();
    deepStrictEqual({ reuses, killed }, { reuses: 0, killed: 0 });
  },
);

testEachClaude(
  "a login that says nothing of its owner is renewed in its place at import",
  async (version) => {
    await using stage = await SwapStage.open([], undefined, {
      version,
      hasHosts: true,
    });
    const account = stage.api.account("work");
    await Deno.mkdir(`${stage.home}/.claude`);
    await Deno.writeTextFile(credentials(stage), loginText(account));
    await endAccess(stage, "work");
    assertRun(await stage.tc("import", "--yes"), /work@demo\.example {2}added/);
    assertRun(await stage.turn(["demo:say one"]), /^one/);
    const { reuses, killed, rotations } = stage.api.families();
    deepStrictEqual({ reuses, killed, rotations }, {
      reuses: 0,
      killed: 0,
      rotations: 1,
    });
  },
);

testEachClaude(
  "renewals of the server and of the client wait for each other",
  async (version) => {
    for (const order of ["server", "client"] as const) {
      await using stage = await importedLogin(version);
      await serve(stage);
      stage.api.set({ renewalMs: 1_500 });
      await endAccess(stage, "work");
      const pause = () => new Promise((wake) => setTimeout(wake, 400));
      const inOrder = order === "server"
        ? [() => ask(stage), () => stage.turn(["demo:say one"])]
        : [() => stage.turn(["demo:say one"]), () => ask(stage)];
      const [begin, follow] = inOrder;
      const first = begin?.();
      // Until the first renewal is under way.
      const calls = () => stage.api.requests("/v1/oauth/token").length;
      const before = calls();
      for (let looks = 0; calls() === before && looks < 200; looks++) {
        await new Promise((wake) => setTimeout(wake, 20));
      }
      await pause();
      const results = await Promise.all([first, follow?.()]);
      for (const result of results) {
        if (typeof result === "string") match(result, /^200 .*served/);
        else assertRun(result as ProcessEnd, /^one/);
      }
      const { reuses, killed } = stage.api.families();
      deepStrictEqual({ order, reuses, killed }, {
        order,
        reuses: 0,
        killed: 0,
      });
    }
  },
);

if (canMount()) {
  testEachClaude(
    "a login file that is mounted by itself is renewed in place",
    async (version) => {
      await using stage = await importedLogin(version);
      await serve(stage);
      const file = credentials(stage);
      mount("--bind", file, file);
      try {
        await endAccess(stage, "work");
        const before = await stage.login();
        match(await ask(stage), /^200 .*served/);
        const after = await stage.login();
        ok(before?.["refreshToken"] !== after?.["refreshToken"]);
        assertRun(await stage.turn(["demo:say one"]), /^one/);
        strictEqual(stage.api.families().reuses, 0);
      } finally {
        unmount(file);
      }
    },
  );

  testEachClaude(
    "a login that cannot be handed back is not spent, and that is said",
    async (version) => {
      await using stage = await importedLogin(version);
      await serve(stage);
      const file = credentials(stage);
      await endAccess(stage, "work");
      mount("--bind", file, file);
      mount("-o", "remount,ro,bind", file);
      try {
        const rotations = stage.api.families().rotations;
        const answer = await ask(stage);
        ok(!answer.startsWith("200"), answer);
        strictEqual(stage.api.families().rotations, rotations);
        match(
          await stage.pool.log(),
          /only Claude Code can renew it now: .*read-only/,
        );
        const doctor = await stage.tc("doctor");
        match(doctor.stdout + doctor.stderr, /\.credentials\.json.*read-only/);
      } finally {
        unmount(file);
      }
      // Both live, once the owner's file can be written again.
      assertRun(await stage.turn(["demo:say one"]), /^one/);
      for (let looks = 0;; looks++) {
        const answer = await ask(stage);
        if (answer.startsWith("200")) break;
        ok(looks < 40, answer);
        await new Promise((wake) => setTimeout(wake, 500));
      }
      strictEqual(stage.api.families().killed, 0);
    },
  );
}

testEachClaude(
  "a login that the provider has revoked is not handed out, and what works stays",
  async (version) => {
    await using stage = await SwapStage.open(["work", "home"], undefined, {
      version,
      hasHosts: true,
    });
    assertRun(await stage.tc("swap", "use", "work"));
    assertRun(await stage.turn(["demo:say one"]), /^one/);
    const before = await Deno.readTextFile(credentials(stage));
    stage.api.account("home").revoke();
    const refused = await stage.tc("swap", "use", "home");
    strictEqual(refused.code, 4, refused.stderr);
    match(
      refused.stderr,
      /Cannot use home: the provider no longer accepts this login/,
    );
    match(refused.stderr, /tc login --account home/);
    strictEqual(await Deno.readTextFile(credentials(stage)), before);
    // Whatever the access token's own note says, no view calls it well.
    const accounts = await stage.tc("accounts", "-v");
    match(accounts.stdout, /home .*needs sign-in +tc login --account home/);
    const doctor = await stage.tc("doctor");
    match(doctor.stdout, /fail .*account home .*no longer accepts its login/);
    assertRun(await stage.turn(["demo:say two"]), /^two/);
    strictEqual(stage.served().at(-1), "work 200");

    assertRun(await stage.tc("profile", "add", "home"));
    const profile = await stage.tc("run", "--profile", "home", "--", "-p", "x");
    strictEqual(profile.code, 4, profile.stderr);
    match(profile.stderr, /Cannot use home/);
  },
);

testEachClaude(
  "a renewal that ends sooner than what it replaces comes back into the vault",
  async (version) => {
    await using stage = await SwapStage.open(["work", "home"], undefined, {
      version,
      hasHosts: true,
    });
    assertRun(await stage.tc("swap", "use", "work"));
    // The provider gives shorter lives from now on, and ends what it gave.
    stage.api.set({ accessTokenMs: 3_600_000 });
    stage.api.account("work").expire();
    assertRun(await stage.turn(["demo:say one"]), /^one/);
    const renewed = await stage.login();
    assertRun(await stage.tc("swap", "use", "home"));
    assertRun(await stage.turn(["demo:say two"]), /^two/);
    assertRun(await stage.tc("swap", "use", "work"));
    strictEqual(
      (await stage.login())?.["refreshToken"],
      renewed?.["refreshToken"],
    );
    assertRun(await stage.turn(["demo:say three"]), /^three/);
    deepStrictEqual(stage.served().slice(-2), ["home 200", "work 200"]);
    strictEqual(stage.api.families().killed, 0);
  },
);

testEachClaude(
  "a person's log-out stays until the person swaps again",
  async (version) => {
    await using stage = await SwapStage.open(["work", "home"], undefined, {
      version,
      hasHosts: true,
    });
    assertRun(await stage.tc("plugin", "install"));
    assertRun(await stage.tc("swap", "use", "work"));
    assertRun(await stage.turn(["demo:say one"]), /^one/);
    assertRun(await stage.run("auth", "logout"));
    strictEqual(await stage.login(), null);
    // The hook would look at once, if it had not been told a moment ago.
    const state = `${stage.pool.paths.secretsFolder}/swap.json`;
    const memory = JSON.parse(await Deno.readTextFile(state));
    await Deno.writeTextFile(
      state,
      JSON.stringify({ ...memory, askedAt: null }),
    );
    const turn = await stage.turn(["demo:say two"]);
    match(turn.stdout, /Not logged in/);
    const auto = await stage.tc("swap", "auto", "--hook");
    assertRun(auto);
    match(auto.stderr, /logged out/);
    strictEqual(await stage.login(), null);
    assertRun(await stage.tc("swap", "use", "home"));
    assertRun(await stage.turn(["demo:say three"]), /^three/);
  },
);

testEachClaude(
  "a login file that nobody can read is named, and kept when it is replaced",
  async (version) => {
    await using stage = await SwapStage.open(["work"], undefined, {
      version,
      hasHosts: true,
    });
    const text = loginText(stage.api.account("stranger"));
    const broken = [
      `\uFEFF${text}`,
      text.slice(0, -9),
      text.replace(/}$/, ",}"),
    ];
    await Deno.mkdir(`${stage.home}/.claude`);
    for (const [index, content] of broken.entries()) {
      await Deno.writeTextFile(credentials(stage), content);
      const imported = await stage.tc("import", "--yes");
      strictEqual(imported.code, 65, imported.stderr);
      match(imported.stderr, /\.credentials\.json: it (begins|is not)/);
      const used = await stage.tc("swap", "use", "work");
      assertRun(used);
      match(used.stderr, /could not be read, and is kept beside it/);
      // None of them is written over: each may hold a login of its own.
      const copy = `${credentials(stage)}.unreadable`;
      strictEqual(
        await Deno.readTextFile(index === 0 ? copy : `${copy}.${index + 1}`),
        content,
      );
      assertRun(await stage.turn(["demo:say one"]), /^one/);
    }
  },
);
