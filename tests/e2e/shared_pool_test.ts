/** Two servers with homes of their own and one PostgreSQL. */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import type { StatusView } from "../../src/control/protocol.ts";
import { HAS_POSTGRES, Postgres } from "../fixtures/postgres.ts";
import { PoolFolder, type PoolServer } from "../fixtures/pool_server.ts";
import { realClock } from "../fixtures/real_ports.ts";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { tcCommand } from "../fixtures/tc_process.ts";
import { hasTmux, Tmux } from "../fixtures/tmux.ts";

/** What other machines say is known within this time. */
const NEWS_MS_MAX = 5_000;

interface Scene extends AsyncDisposable {
  /** What `tc store invite` printed. */
  readonly invitation: string;
  readonly api: ScriptedApi;
  readonly postgres: Postgres;
  readonly laptop: PoolFolder;
  readonly desktop: PoolFolder;
}

/** A laptop with the accounts, and a desktop without; both have joined. */
async function joined(
  more: Readonly<Record<string, unknown>> = {},
): Promise<Scene> {
  const postgres = await Postgres.start();
  const api = await startScriptedApi();
  for (const name of ["work", "home"]) api.account(name, { tier: "max_5x" });
  const [laptop, desktop] = [new PoolFolder(), new PoolFolder()];
  await laptop.fill(api, more);
  await desktop.configure(api, more);
  const url = await postgres.database();
  const made = await laptop.ended(
    ["store", "join", "--stdin", "--name", "laptop", "--yes"],
    url,
  );
  strictEqual(made.code, 0, made.stderr);
  const { stdout } = await laptop.ended(["store", "invite"]);
  const came = await desktop.ended(
    ["store", "join", "--stdin", "--name", "desktop", "--yes"],
    stdout,
  );
  strictEqual(came.code, 0, came.stderr);
  return {
    api,
    postgres,
    laptop,
    desktop,
    invitation: stdout,
    async [Symbol.asyncDispose]() {
      await laptop[Symbol.asyncDispose]();
      await desktop[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
      await postgres[Symbol.asyncDispose]();
    },
  };
}

async function ask(server: PoolServer, session: string): Promise<number> {
  const response = await fetch(`${server.baseUrl}/v1/messages`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-claude-code-session-id": session,
      "x-demo-nonce": crypto.randomUUID(),
    },
    body: JSON.stringify({
      model: "claude-sonnet-5-5",
      max_tokens: 100,
      messages: [{ role: "user", content: `hello from ${session}` }],
    }),
  });
  await response.body?.cancel();
  return response.status;
}

/** Waits until `check` holds for the server's status. */
async function until(
  server: PoolServer,
  check: (status: StatusView) => boolean,
): Promise<StatusView> {
  const endAt = performance.now() + NEWS_MS_MAX;
  for (;;) {
    const status = await server.get<StatusView>("/tc/v1/status");
    if (check(status)) return status;
    if (performance.now() > endAt) {
      throw new Error(`It was not known in time: ${JSON.stringify(status)}`);
    }
    await realClock.sleep(50);
  }
}

Deno.test({
  name: "two machines: accounts, figures, settings and the pin cross over",
  ignore: !HAS_POSTGRES,
  fn: async () => {
    await using scene = await joined();
    const { laptop, desktop, postgres } = scene;
    const [one, other] = [await laptop.start(), await desktop.start()];
    const { accounts } = await one.get<StatusView>("/tc/v1/status");
    ok(accounts.length > 1);
    await until(other, (status) => status.accounts.length === accounts.length);

    // What the provider says to one is known to the other.
    strictEqual(await ask(one, "s1"), 200);
    const served = (await one.get<StatusView>("/tc/v1/status")).accounts
      .find(({ windows }) => windows.length > 0);
    ok(served !== undefined);
    await until(
      other,
      (status) =>
        status.accounts.some(({ id, windows }) =>
          id === served.id && windows.length > 0
        ),
    );
    strictEqual(await ask(other, "s2"), 200);

    // A change on one machine holds on both, and so does the pin.
    const name = accounts[0]?.label ?? "";
    strictEqual((await desktop.ended(["disable", name])).code, 0);
    await until(
      one,
      (status) =>
        status.accounts.find((account) => account.label === name)?.enabled ===
          false,
    );
    const pinned = accounts[1]?.label ?? "";
    strictEqual((await laptop.ended(["pin", pinned])).code, 0);
    await until(other, (status) => status.server.pin === pinned);

    const status = await desktop.ended(["store", "status"]);
    strictEqual(status.code, 0, status.stderr);
    match(status.stdout, /2 machines/);
    match(status.stdout, /laptop\s+now/);
    match(status.stdout, /desktop \(this\)\s+now/);
    const doctor = await laptop.ended(["doctor", "--json"]);
    match(doctor.stdout, /pool_1 answers, 2 machines/);

    // Both say which machines there are, and one that has gone.
    const shown = await laptop.ended(["status"]);
    match(shown.stdout, /2 machines: laptop \(this\), desktop$/m);
    const alive = await laptop.ended(["store", "forget", "desktop", "--yes"]);
    strictEqual(alive.code, 75, alive.stderr);
    match(alive.stderr, /Cannot forget desktop: it was there \d+ seconds? ago/);
    const itself = await laptop.ended(["store", "forget", "laptop", "--yes"]);
    match(itself.stderr, /it is this machine/);
    await other.kill();
    await postgres.sql(
      "pool_1",
      "UPDATE tc.machines SET seen_at = now() - interval '4 minutes' " +
        "WHERE name = 'desktop'",
    );
    await until(
      one,
      ({ machines }) =>
        machines.some(({ isThere, name }) => name === "desktop" && !isThere),
    );
    const later = await laptop.ended(["status"]);
    match(later.stdout, /desktop \(last seen [45]m ago\)/);
    const gone = await laptop.ended(["store", "forget", "Desktop", "--yes"]);
    strictEqual(gone.code, 0, gone.stderr);
    match(gone.stdout, /Forgot desktop\./);
    await until(one, ({ machines }) => machines.length === 1);
    // It comes back: its accounts work, and it is in the list again.
    const back = await desktop.start();
    await until(
      back,
      ({ machines }) =>
        machines.some(({ isThis, name }) => isThis && name === "desktop"),
    );
    strictEqual(await ask(back, "s3"), 200);
  },
});

Deno.test({
  name:
    "tc watch draws the machines, also while the database is away, and ends",
  ignore: !HAS_POSTGRES || !hasTmux(),
  fn: async () => {
    await using scene = await joined();
    const { laptop, desktop, postgres } = scene;
    const [one] = [await laptop.start(), await desktop.start()];
    await until(one, ({ machines }) => machines.length === 2);
    const watched = async (columns: number, machines: string) => {
      await using tmux = await Tmux.open({
        columns,
        rows: 30,
        variables: laptop.variables,
      });
      await tmux.type(`clear; ${tcCommand().join(" ")} watch`);
      await tmux.until(machines, (screen) => screen.includes(machines));
      match(await tmux.modes(), /alternate 1/);
      await tmux.press("q");
      await tmux.untilShell();
      match(await tmux.modes(), /alternate 0 cursor 1/);
    };
    await watched(80, "2 machines");
    await watched(120, "2 machines: laptop, desktop");
    await watched(200, "2 machines: laptop, desktop");
    await postgres.kill();
    await until(one, ({ notices }) => notices.length > 0);
    await watched(120, "1 of 2 machines");
  },
});

Deno.test({
  name: "one machine polls the usage of an account, and both show it",
  ignore: !HAS_POSTGRES,
  fn: async () => {
    await using scene = await joined();
    const { laptop, desktop, api } = scene;
    const servers = [await laptop.start(), await desktop.start()];
    for (const server of servers) {
      await until(
        server,
        ({ accounts }) =>
          accounts.length === 2 &&
          accounts.every(({ windows }) =>
            windows.some(({ source }) => source === "usage_endpoint")
          ),
      );
    }
    // A machine polls at its start; the second one has had its chance by now.
    await realClock.sleep(5_000);
    for (const name of ["work", "home"]) {
      strictEqual(api.usageCalls(name), 1, name);
    }
  },
});

Deno.test({
  name: "a machine whose name is taken gets another one, and says so",
  ignore: !HAS_POSTGRES,
  fn: async () => {
    await using scene = await joined();
    await using third = new PoolFolder();
    await third.configure(scene.api);
    const came = await third.ended(
      ["store", "join", "--stdin", "--name", "Laptop", "--yes"],
      scene.invitation,
    );
    strictEqual(came.code, 0, came.stderr);
    match(came.stderr, /Laptop is taken: this machine is called Laptop-2/);
    match(came.stdout, /as Laptop-2: /);
    // Accounts are told by the names that a person gave them.
    const renamed = await third.ended(["rename", "home", "at-home"]);
    strictEqual(renamed.code, 0, renamed.stderr);
    const left = await third.ended(["store", "leave", "--yes"]);
    strictEqual(left.code, 0, left.stderr);
    match(left.stderr, /Stays with laptop, desktop.*at-home/);
    const asked = await third.ended(["store", "join"]);
    match(
      asked.stderr,
      /Cannot ask without a terminal: Invitation \(tc store invite/,
    );
  },
});

Deno.test({
  name:
    "reports know the requests of all machines, once, also after a restart and a new ledger",
  ignore: !HAS_POSTGRES,
  fn: async () => {
    await using scene = await joined();
    const { laptop, desktop } = scene;
    let one = await laptop.start();
    const other = await desktop.start();
    const totals = async (folder: PoolFolder) => {
      const { code, stdout, stderr } = await folder.ended(
        ["report", "model", "--json"],
      );
      strictEqual(code, 0, stderr);
      const { total } = JSON.parse(stdout);
      return [total.requests, total.output];
    };
    for (let count = 0; count < 3; count++) {
      strictEqual(await ask(one, "s1"), 200);
    }
    for (let count = 0; count < 2; count++) {
      strictEqual(await ask(other, "s2"), 200);
    }
    // What is left is sent at the end.
    await one.stop();
    one = await laptop.start();
    await other.stop();
    const again = await desktop.start();
    await agree(async () => {
      const both = [await totals(laptop), await totals(desktop)];
      return both.every(([requests]) => requests === 5) ? both : null;
    });
    const of = async (args: readonly string[]) => {
      const { code, stdout, stderr } = await laptop.ended(
        ["report", ...args, "--json"],
      );
      strictEqual(code, 0, stderr);
      return JSON.parse(stdout);
    };
    const machines = await of(["machine"]);
    deepStrictEqual(
      machines.rows.map((row: { key: string; requests: number }) => [
        row.key,
        row.requests,
      ]).sort(),
      [["desktop", 2], ["this machine", 3]],
    );
    strictEqual((await of(["day", "--machine", "desktop"])).total.requests, 2);
    strictEqual((await of(["day", "--machine", "this"])).total.requests, 3);
    const unknown = await laptop.ended(["report", "day", "--machine", "x"]);
    strictEqual(unknown.code, 2);
    match(unknown.stderr, /Machines: this, desktop/);
    // A ledger that is lost begins anew, and nothing of it is counted twice.
    await one.stop();
    await Deno.remove(`${laptop.stateFolder}/state.db`);
    one = await laptop.start();
    strictEqual(await ask(one, "s3"), 200);
    await one.stop();
    await agree(async () => {
      const there = await totals(desktop);
      return there[0] === 6 ? there : null;
    });
    await again.stop();
  },
});

/** Waits until `look` finds something; reports are exchanged every 15 seconds. */
async function agree(look: () => Promise<unknown>): Promise<void> {
  const endAt = performance.now() + 40_000;
  while (await look() === null) {
    if (performance.now() > endAt) throw new Error("The reports differ");
    await realClock.sleep(500);
  }
}

Deno.test({
  name: "the database is away: requests go on, it is told, and all agree again",
  ignore: !HAS_POSTGRES,
  fn: async () => {
    await using scene = await joined();
    const { laptop, desktop, postgres } = scene;
    const [one, other] = [await laptop.start(), await desktop.start()];
    const { accounts } = await one.get<StatusView>("/tc/v1/status");
    await until(other, (status) => status.accounts.length === accounts.length);
    await postgres.kill();
    await until(
      one,
      ({ notices }) =>
        notices.some(({ text }) => /Cannot reach the store/.test(text)),
    );
    const doctor = await laptop.ended(["doctor", "--json"]);
    match(doctor.stdout, /Cannot reach the store/);
    for (let count = 0; count < 5; count++) {
      strictEqual(await ask(one, "s1"), 200);
      strictEqual(await ask(other, "s2"), 200);
    }
    const told = await desktop.ended(["store", "status"]);
    match(told.stdout, /Requests go on with the 2 accounts/);
    match(told.stderr, /leave --force/);
    // A pin that is set meanwhile is the last one, and is kept.
    const pinned = accounts[1]?.label ?? "";
    strictEqual((await desktop.ended(["pin", pinned])).code, 0);
    // A server starts without its database.
    await one.kill();
    const again = await laptop.start();
    strictEqual(await ask(again, "s1"), 200);
    await postgres.begin();
    await until(again, ({ notices }) => notices.length === 0);
    await until(other, ({ notices }) => notices.length === 0);
    await until(again, ({ server }) => server.pin === pinned);
    const name = accounts[0]?.label ?? "";
    strictEqual((await laptop.ended(["disable", name])).code, 0);
    await until(
      other,
      (status) =>
        status.accounts.find((account) => account.label === name)?.enabled ===
          false,
    );
  },
});

Deno.test({
  name: "joining says what is wrong, and leaving keeps each login in one place",
  ignore: !HAS_POSTGRES,
  fn: async () => {
    await using scene = await joined();
    const { laptop, desktop, postgres, api, invitation } = scene;
    const url = postgres.url("pool_1");
    await using third = new PoolFolder();
    await third.configure(api);
    const uninvited = await third.ended(
      ["store", "join", "--stdin", "--yes"],
      url,
    );
    strictEqual(uninvited.code, 2);
    match(uninvited.stderr, /holds a pool already/);
    const cut = await third.ended(
      ["store", "join", "--stdin", "--yes"],
      "tcpool1.eyJ1",
    );
    match(cut.stderr, /invitation: it is cut short/);
    const alone = await third.ended(["store", "status"]);
    match(alone.stderr, /part of no shared pool/);
    const twice = await laptop.ended(
      ["store", "join", "--stdin", "--yes"],
      url,
    );
    match(twice.stderr, /part of a shared pool already/);

    // The desktop leaves: logins stay with the laptop, and so do their settings.
    strictEqual((await laptop.ended(["disable", "home"])).code, 0);
    const left = await desktop.ended(["store", "leave", "--yes", "--json"]);
    strictEqual(left.code, 0, left.stderr);
    const { kept, left: gone } = JSON.parse(left.stdout);
    ok(gone.length > 0);
    const listed = await desktop.ended(["accounts", "--json"]);
    strictEqual(listed.stderr, "");
    deepStrictEqual(
      JSON.parse(listed.stdout).accounts.map(({ id }: { id: string }) => id)
        .sort(),
      kept.map(({ id }: { id: string }) => id).sort(),
    );
    // The last one takes everything home.
    const last = await laptop.ended(["store", "leave", "--yes", "--json"]);
    strictEqual(last.code, 0, last.stderr);
    strictEqual(JSON.parse(last.stdout).left.length, 0);
    const home = await laptop.ended(["accounts", "--json"]);
    strictEqual(JSON.parse(home.stdout).accounts.length, api.accounts().length);
    const rows = await postgres.sql(
      "pool_1",
      "SELECT count(*) FROM tc.accounts WHERE sealed IS NOT NULL",
    );
    strictEqual(rows.trim(), "0");

    // Joined again, the same accounts move in again, and none is lost.
    const again = await laptop.ended(
      ["store", "join", "--stdin", "--yes"],
      invitation,
    );
    strictEqual(again.code, 0, again.stderr);
    match(again.stdout, /: (home, work|work, home)\./);
    const back = await laptop.ended(["accounts", "--json"]);
    strictEqual(JSON.parse(back.stdout).accounts.length, api.accounts().length);
    const taken = await laptop.ended(["rename", "home", "work"]);
    strictEqual(taken.code, 2);
    match(taken.stderr, /another one has that name/);
  },
});
