/** The real Claude Code in profiles: two accounts at the same time. */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { whyNoClaude } from "../fixtures/claude_code.ts";
import { loginText } from "../fixtures/swap_kit.ts";
import { SwapStage } from "../fixtures/swap_stage.ts";
import type { ProcessEnd } from "../fixtures/tc_process.ts";

const WHY_NOT = whyNoClaude();

function clientTest(name: string, body: () => Promise<void>): void {
  Deno.test({
    name: WHY_NOT === null ? name : `${name} (skipped: ${WHY_NOT})`,
    ignore: WHY_NOT !== null,
    fn: body,
  });
}

function assertRun(run: ProcessEnd, stdout: RegExp = /(?:)/): void {
  strictEqual(run.code, 0, run.stderr + run.stdout);
  match(run.stdout, stdout);
}

/** One print turn in a profile; null lets tc pick. */
function turn(
  stage: SwapStage,
  profile: string | null,
  ...words: readonly string[]
): Promise<ProcessEnd> {
  return stage.pool.tc(
    [
      "run",
      "--profile",
      ...profile === null ? [] : [profile],
      "--",
      "--dangerously-skip-permissions",
      "-p",
      ...words,
    ],
    { ...stage.variables(), ANTHROPIC_BASE_URL: stage.api.url },
    stage.project,
  );
}

clientTest("two profiles serve two accounts at the same time", async () => {
  await using stage = await SwapStage.open(["work", "home"]);
  for (const name of ["work", "home"]) {
    assertRun(await stage.tc("profile", "add", name), /Added/);
  }
  for (const name of ["work", "home"]) {
    stage.api.next(name).delay(4_000).say(`I am ${name}`);
  }
  const [work, home] = await Promise.all([
    turn(stage, "work", "who are you"),
    turn(stage, "home", "who are you"),
  ]);
  assertRun(work, /^I am work/);
  assertRun(home, /^I am home/);
  const [first, second] = stage.messages();
  ok(first !== undefined && second !== undefined);
  const overlap = Math.min(first.endedAt ?? 0, second.endedAt ?? 0) -
    Math.max(first.startedAt, second.startedAt);
  ok(overlap > 0, "one waited for the other");
  deepStrictEqual(stage.served().toSorted(), ["home 200", "work 200"]);
});

clientTest("a session of one profile goes on in another", async () => {
  await using stage = await SwapStage.open(["work", "home"]);
  for (const name of ["work", "home"]) {
    assertRun(await stage.tc("profile", "add", name));
  }
  assertRun(await turn(stage, "work", "demo:say one"), /^one/);
  const session = stage.messages()[0]?.session ?? "";
  assertRun(
    await turn(stage, "home", "demo:say two", "--resume", session),
    /^two/,
  );
  deepStrictEqual(stage.served(), ["work 200", "home 200"]);
  strictEqual(stage.messages()[1]?.session, session);
  assertRun(await stage.tc("profile", "remove", "work", "--yes"));
  // What was said in a removed profile stays with the others.
  assertRun(
    await turn(stage, null, "demo:say three", "--resume", session),
    /^three/,
  );
});

clientTest("a launch without a name takes the profile with room", async () => {
  await using stage = await SwapStage.open(["work", "home"]);
  for (const name of ["work", "home"]) {
    assertRun(await stage.tc("profile", "add", name));
  }
  stage.api.account("work").windows({ "5h": 0.8, "7d": 0.5 });
  stage.api.account("home").windows({ "5h": 0.1, "7d": 0.5 });
  assertRun(await turn(stage, null, "demo:say one"), /^one/);
  strictEqual(stage.served()[0], "home 200");
});

clientTest("a login is saved for its own profile alone", async () => {
  await using stage = await SwapStage.open([]);
  const credentials = `${stage.home}/.claude/.credentials.json`;
  await Deno.mkdir(`${stage.home}/.claude`);
  for (const name of ["work", "home"]) {
    await Deno.writeTextFile(credentials, loginText(stage.api.account(name)));
    const typo = await stage.tc("profile", "add", name);
    strictEqual(typo.code, 2);
    match(typo.stderr, /Cannot find the account .*/);
    assertRun(
      await stage.tc("profile", "add", name, "--empty"),
      /without a login/,
    );
    assertRun(await stage.tc("profile", "save", name), /Saved the login/);
  }
  // The live login is home's.
  const wrong = await stage.tc("profile", "save", "work");
  strictEqual(wrong.code, 2);
  match(wrong.stderr, /stored as home already/);
  assertRun(await turn(stage, "work", "demo:say one"), /^one/);
  assertRun(await turn(stage, "home", "demo:say two"), /^two/);
  deepStrictEqual(stage.served(), ["work 200", "home 200"]);
  const { stdout } = await stage.tc("profile", "list", "--json");
  const { profiles } = JSON.parse(stdout);
  deepStrictEqual(
    profiles.map((row: { name: string; sessions: number }) => [
      row.name,
      row.sessions,
    ]),
    [["work", 0], ["home", 0]],
  );
  const functions = await stage.tc("profile", "shell", "bash");
  match(functions.stdout, /^cl\(\) .*\ncl-work\(\) .*\ncl-home\(\) /);
});

clientTest(
  "an account with an e-mail address as its name is a profile as it is",
  async () => {
    await using stage = await SwapStage.open(["work", "home"]);
    const email = "ada@example.com";
    assertRun(await stage.tc("rename", "work", email));
    assertRun(
      await stage.tc("profile", "add", email),
      /Added ada@example\.com/,
    );
    assertRun(await turn(stage, email, "demo:say one"), /^one/);
    assertRun(await stage.tc("profile", "add", "mine", "--account", "home"));
    assertRun(await turn(stage, "mine", "demo:say two"), /^two/);
    deepStrictEqual(stage.served(), ["work 200", "home 200"]);

    const typo = await stage.tc("profile", "add", "ada@exmaple.com");
    strictEqual(typo.code, 2);
    match(typo.stderr, /tc profile add ada@example\.com {3}is the nearest/);
    match(typo.stderr, /--empty/);
    const both = await stage.tc(
      "profile",
      "add",
      "x",
      "--empty",
      "--account",
      "home",
    );
    strictEqual(both.code, 2);
    const { stdout } = await stage.tc("profile", "list", "--json");
    const names = JSON.parse(stdout).profiles
      .map(({ name }: { readonly name: string }) => name);
    deepStrictEqual(names, [email, "mine"]);
  },
);
