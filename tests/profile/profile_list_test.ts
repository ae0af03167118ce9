import "../fixtures/clean_environment.ts";
import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import {
  bound,
  checkProfileName,
  pickAccount,
} from "../../src/profile/profile_list.ts";
import { SessionBook } from "../../src/profile/session_book.ts";
import { shellFunctions } from "../../src/profile/shell_functions.ts";
import type { Account } from "../../src/core/account.ts";
import type { QuotaObservation } from "../../src/core/quota/quota.ts";
import { DEFAULT_ROUTE_SETTINGS } from "../../src/core/settings.ts";
import { after, HOUR_MS, instantFromMs } from "../../src/core/time.ts";
import { FileLocks } from "../../src/store/files/lock.ts";
import { realClock, realEntropy } from "../fixtures/real_ports.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { idOf } from "../fixtures/vault_kit.ts";
import { needs } from "../fixtures/skipped.ts";

const AT = instantFromMs(1_790_000_000_000);

Deno.test("bound() refuses the wrong account, and a login that is stored already", () => {
  const profiles = [{ name: "work", account: idOf("a1") }, {
    name: "new",
    account: null,
  }];
  throws(() => bound(profiles, "work", idOf("a2")), { code: "usage" });
  throws(() => bound(profiles, "new", idOf("a1")), { code: "usage" });
  deepStrictEqual(bound(profiles, "work", idOf("a1")), profiles);
  deepStrictEqual(bound(profiles, "new", idOf("a2"))[1], {
    name: "new",
    account: "a2",
  });
});

Deno.test("checkProfileName() takes every account's name, and no option", () => {
  for (const name of ["", "-x", "a\nb", "\x1b[2J", "a".repeat(101)]) {
    throws(() => checkProfileName(name), { code: "usage" });
  }
  for (const name of ["ada.work-2", "ada@example.com", "my work", "Привет"]) {
    checkProfileName(name);
  }
});

function account(id: string): Account {
  return {
    id: idOf(id),
    label: id,
    kind: "subscription",
    tier: "max_5x",
    priority: 0,
    enabled: true,
    leasesMax: null,
    utilizationMax: null,
    signInEndsAt: null,
  };
}

function used(id: string, fiveHour: number, week: number): QuotaObservation {
  const window = (key: string, utilization: number, lengthMs: number) => ({
    key,
    utilization,
    status: null,
    lengthMs,
    resetsAt: after(AT, HOUR_MS),
    observedAt: AT,
    source: "usage_endpoint" as const,
    family: null,
  });
  return {
    accountId: idOf(id),
    at: AT,
    source: "usage_endpoint",
    windows: [
      window("5h", fiveHour, 5 * HOUR_MS),
      window("7d", week, 168 * HOUR_MS),
    ],
    overage: null,
  };
}

const PICK = {
  accounts: ["a", "b"].map(account),
  observations: [],
  sessions: [],
  settings: { ...DEFAULT_ROUTE_SETTINGS, policy: "scored" } as const,
  at: AT,
};

Deno.test("pickAccount() weighs what is left of both windows", () => {
  const observations = [used("a", 0.9, 0.1), used("b", 0.2, 0.5)];
  // 70 * 0.1 + 30 * 0.9 = 34 against 70 * 0.8 + 30 * 0.5 = 71.
  strictEqual(pickAccount({ ...PICK, observations }), "b");
});

Deno.test("pickAccount() counts the sessions that run", () => {
  const observations = [used("a", 0.2, 0.5), used("b", 0.22, 0.5)];
  strictEqual(pickAccount({ ...PICK, observations }), "a");
  // 1.4 points of quota against 2 for a session.
  const sessions = [idOf("a")];
  strictEqual(pickAccount({ ...PICK, observations, sessions }), "b");
});

Deno.test("pickAccount() skips a used-up account, and takes one when all are used up", () => {
  const observations = [used("a", 1, 0.1), used("b", 0.97, 0.9)];
  strictEqual(pickAccount({ ...PICK, observations }), "b");
  const spent = [used("a", 1, 0.1), used("b", 1, 1)];
  strictEqual(pickAccount({ ...PICK, observations: spent }) !== null, true);
});

Deno.test("SessionBook closes sessions whose process is gone or another's", async () => {
  await using folder = new TempFolder();
  const alive = new Map([[1, "m1"], [2, "m2"], [3, "m3"]]);
  const book = new SessionBook({
    file: folder.join("sessions.json"),
    locks: new FileLocks(folder.path, {
      clock: realClock,
      entropy: realEntropy,
    }),
    clock: realClock,
    processes: {
      isAlive: (pid) => alive.has(pid),
      mark: (pid) => alive.get(pid) ?? null,
    },
  });
  for (const pid of [1, 2, 3]) await book.began(idOf("a"), pid, "/x");
  await book.ended(1, 0);
  strictEqual((await book.open()).length, 2);
  alive.delete(2);
  alive.set(3, "another");
  strictEqual((await book.open()).length, 0);
});

Deno.test("shellFunctions() gives each profile its function", () => {
  strictEqual(
    shellFunctions("bash", ["work"], "tc"),
    `cl() { tc run --profile -- "$@"; }\n` +
      `cl-work() { tc run --profile work -- "$@"; }\n`,
  );
});

Deno.test({
  name:
    "a shell takes every name as one word, and gives it a function of its own",
  ignore: needs("scripts"),
  fn: async () => {
    const names = [
      "ada@example.com",
      "ada example.com",
      "it's; echo $HOME",
      "*",
    ];
    const text = shellFunctions("bash", names, "printf '[%s]'");
    const calls = [...text.matchAll(/^(cl-\S+)\(\)/gm)].map(([, call]) => call);
    deepStrictEqual(calls, [
      "cl-ada-example.com",
      "cl-ada-example.com-2",
      "cl-it-s-echo-HOME",
      "cl-profile",
    ]);
    const { stdout, stderr } = await new Deno.Command("bash", {
      args: ["-c", `${text}\n${calls.join("; ")}`],
      clearEnv: true,
      env: { PATH: "/usr/bin:/bin", HOME: "/nowhere" },
    }).output();
    const decoder = new TextDecoder();
    strictEqual(decoder.decode(stderr), "");
    strictEqual(
      decoder.decode(stdout),
      names.map((name) => `[run][--profile][${name}][--]`).join(""),
    );
  },
});
