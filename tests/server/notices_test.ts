/** Notices: what they are about, that each is told once, and that none is lost. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import type {
  AccountView,
  WindowView,
} from "../../src/control/account_views.ts";
import type { StatusView, TimeView } from "../../src/control/protocol.ts";
import { inert } from "../../src/core/plain_text.ts";
import { HOUR_MS, MINUTE_MS, SECOND_MS } from "../../src/core/time.ts";
import {
  conditionsOf,
  type NoticeEvent,
} from "../../src/server/notices/conditions.ts";
import { isQuiet, Notifier } from "../../src/server/notices/notifier.ts";
import {
  desktopCommand,
  NoticePrograms,
} from "../../src/server/notices/programs.ts";
import { commandRunner } from "../../src/system/command_runner.ts";
import { ManualClock } from "../fixtures/manual_clock.ts";
import { realEntropy } from "../fixtures/real_ports.ts";
import { needs } from "../fixtures/skipped.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

const AT = 1_800_000_000_000;

function time(ms: number): TimeView {
  return { ms, iso: new Date(ms).toISOString() };
}

function account(parts: Partial<AccountView>): AccountView {
  return {
    id: "1",
    label: "work",
    state: "ready",
    reason: null,
    mend: null,
    windows: [],
    paying: null,
    ...parts,
  } as AccountView;
}

function status(
  accounts: readonly AccountView[],
  verdict: Partial<StatusView["verdict"]> = { kind: "open", until: null },
): StatusView {
  const server = { newer: null, version: "0.1.0" };
  return { at: time(AT), accounts, verdict, server } as unknown as StatusView;
}

const SPENT = status([], { kind: "closed", until: time(AT + 2 * HOUR_MS) });
const OPEN = status([]);
const SIGNED_OUT = status([
  account({
    state: "signed_out",
    reason: "needs sign-in (tc login work)",
    mend: "tc login work",
  }),
]);

function window(parts: Partial<WindowView>): WindowView {
  return {
    key: "7d",
    utilization: 0.6,
    status: "allowed",
    spentAt: time(AT + 9 * HOUR_MS),
    resetsAt: time(AT + 60 * HOUR_MS),
    ...parts,
  } as WindowView;
}

Deno.test("conditionsOf() reads what a person must know off the status", () => {
  const table: readonly (readonly [StatusView, readonly string[]])[] = [
    [OPEN, []],
    [SPENT, ["No account serves new work for 2h"]],
    [
      status([], { kind: "closed", until: null }),
      ["No account serves new work until something changes"],
    ],
    // Without an account there is nothing to wait for.
    [status([], { kind: "empty", until: null }), []],
    [SIGNED_OUT, ["work needs sign-in"]],
    [
      status([
        account({ label: "key-1", kind: "api_key", state: "signed_out" }),
      ]),
      ["key-1 needs a key that is accepted"],
    ],
    [
      status([account({
        label: "key-1",
        paying: { since: time(AT), requests: 1, cost: 0.1 },
      })]),
      ["key-1 serves and is paid by the token"],
    ],
    [
      status([account({ windows: [window({})] })]),
      ["The week of work runs out in about 9h, 2d 3h before it refills"],
    ],
    [status([account({ windows: [window({ key: "5h" })] })]), []],
    [status([account({ windows: [window({ utilization: 0.1 })] })]), []],
    [status([account({ windows: [window({ spentAt: null })] })]), []],
    [
      status([
        account({
          windows: [window({ resetsAt: time(AT + 12 * HOUR_MS) })],
        }),
      ]),
      [],
    ],
  ];
  for (const [view, texts] of table) {
    deepStrictEqual(conditionsOf(view).map(({ text }) => text), texts);
  }
  strictEqual(conditionsOf(SIGNED_OUT)[0]?.mend, "tc login work");
});

interface Scene {
  readonly clock: ManualClock;
  readonly told: string[];
  readonly sent: NoticeEvent[];
  readonly lines: string[];
  status: StatusView;
  isDown: boolean;
  minute: number;
  kept: string | null;
}

function scene(): Scene {
  return {
    clock: new ManualClock(),
    told: [],
    sent: [],
    lines: [],
    status: OPEN,
    isDown: false,
    minute: 12 * 60,
    kept: null,
  };
}

function notifier(at: Scene, quiet = ""): Notifier {
  return new Notifier({
    clock: at.clock,
    entropy: realEntropy,
    journal: { log: (level, event) => at.lines.push(`${level} ${event}`) },
    status: () => at.status,
    minuteOfDay: () => at.minute,
    quiet,
    memory: {
      read: () => Promise.resolve(at.kept),
      write: (text) => {
        at.kept = text;
        return Promise.resolve();
      },
    },
    tell: ({ kind }) => at.told.push(kind),
    send: (event) => {
      if (at.isDown) return Promise.reject(new Error("connection refused"));
      at.sent.push(event);
      return Promise.resolve();
    },
  });
}

Deno.test("a condition is told once while it stands, and the pool's return as well", async () => {
  const at = scene();
  const one = notifier(at);
  one.start();
  at.status = SPENT;
  await at.clock.advance(5 * SECOND_MS);
  at.status = OPEN;
  await at.clock.advance(20 * SECOND_MS);
  deepStrictEqual(at.told, [], "a blink is nothing");
  at.status = SPENT;
  await at.clock.advance(5 * MINUTE_MS);
  // It flickers, as when a trial is under way.
  for (let times = 0; times < 20; times++) {
    at.status = times % 2 === 0 ? OPEN : SPENT;
    await at.clock.advance(15 * SECOND_MS);
  }
  deepStrictEqual(at.told, ["pool_spent"]);
  at.status = OPEN;
  await at.clock.advance(2 * MINUTE_MS);
  deepStrictEqual(at.told, ["pool_spent", "pool_back"]);
  at.status = SPENT;
  await at.clock.advance(2 * MINUTE_MS);
  deepStrictEqual(at.told, ["pool_spent", "pool_back", "pool_spent"]);
  await one.stop();
  deepStrictEqual(at.sent.map(({ kind }) => kind), at.told);
});

Deno.test("a webhook that is down for an hour gets every notice once, in order", async () => {
  const at = scene();
  at.isDown = true;
  const one = notifier(at);
  one.start();
  for (const view of [SPENT, OPEN, SIGNED_OUT, OPEN, SPENT, OPEN]) {
    at.status = view;
    await at.clock.advance(10 * MINUTE_MS, 5 * SECOND_MS);
  }
  deepStrictEqual(at.sent, []);
  at.isDown = false;
  await at.clock.advance(6 * MINUTE_MS);
  const kinds = [
    "pool_spent",
    "pool_back",
    "login_needed",
    "pool_spent",
    "pool_back",
  ];
  deepStrictEqual(at.sent.map(({ kind }) => kind), kinds);
  strictEqual(new Set(at.sent.map(({ id }) => id)).size, kinds.length);
  const faults = at.lines.filter((line) => line === "warn webhook");
  strictEqual(faults.length, 1, "one line, however long it is down");
  await one.stop();
});

Deno.test("a restart neither repeats what was told nor loses what waits", async () => {
  const at = scene();
  at.isDown = true;
  at.status = SPENT;
  const before = notifier(at);
  before.start();
  await at.clock.advance(MINUTE_MS);
  await before.stop();
  deepStrictEqual(at.told, ["pool_spent"]);
  at.isDown = false;
  const after = notifier(at);
  after.start();
  await at.clock.advance(MINUTE_MS);
  deepStrictEqual(at.told, ["pool_spent"]);
  deepStrictEqual(at.sent.map(({ kind }) => kind), ["pool_spent"]);
  at.status = OPEN;
  await at.clock.advance(2 * MINUTE_MS);
  deepStrictEqual(at.told, ["pool_spent", "pool_back"]);
  await after.stop();
});

Deno.test("in quiet hours nothing is told, and after them what still holds", async () => {
  const at = scene();
  at.minute = 23 * 60;
  const one = notifier(at, "22:00-07:00");
  one.start();
  at.status = SPENT;
  await at.clock.advance(10 * MINUTE_MS);
  at.status = SIGNED_OUT;
  await at.clock.advance(10 * MINUTE_MS);
  deepStrictEqual(at.told, []);
  at.minute = 7 * 60;
  await at.clock.advance(MINUTE_MS);
  deepStrictEqual(at.told, ["login_needed"]);
  await one.stop();
  for (
    const [minute, quiet, is] of [
      [22 * 60, "22:00-07:00", true],
      [6 * 60 + 59, "22:00-07:00", true],
      [7 * 60, "22:00-07:00", false],
      [13 * 60, "12:00-14:00", true],
      [14 * 60, "12:00-14:00", false],
      [0, "", false],
    ] as const
  ) strictEqual(isQuiet(quiet, minute), is, `${minute} in ${quiet}`);
});

const EVENT: NoticeEvent = {
  schema: "tc.notice/v1",
  id: "1",
  at: time(AT),
  kind: "pool_spent",
  text: "No account serves new work for 2h",
  account: null,
  until: null,
  mend: null,
};

Deno.test("the user's program gets the notice as JSON, one after the other", async () => {
  const calls: string[] = [];
  const failed: string[] = [];
  let running = 0;
  const programs = new NoticePrograms({
    command: "/home/me/bin/my notice",
    isDesktop: true,
    system: "darwin",
    runner: {
      run: async (command, args, { stdin }) => {
        strictEqual(running++, 0, "never two at once");
        await new Promise((resolve) => setTimeout(resolve, 5));
        running--;
        calls.push(command);
        if (command === "osascript") {
          strictEqual(args.at(-1), EVENT.text);
          return { kind: "missing" };
        }
        deepStrictEqual(JSON.parse(stdin), EVENT);
        return { kind: "exited", code: 3, stdout: "", stderr: "" };
      },
    },
    failed: (reason) => failed.push(reason),
  });
  programs.tell(EVENT);
  await programs.tell(EVENT);
  const each = ["/home/me/bin/my notice", "osascript"];
  deepStrictEqual(calls, [...each, ...each]);
  deepStrictEqual(failed.slice(0, 2), [
    "/home/me/bin/my notice ended with code 3",
    "osascript is not there",
  ]);
});

Deno.test("desktopCommand() never lets a label become a part of a command", () => {
  const evil = '"; do shell script "touch /tmp/x" --\n\u001b[31m';
  for (const system of ["linux", "darwin"]) {
    const { command = [], stdin } = desktopCommand(evil, system) ?? {};
    strictEqual(stdin, "");
    const last = command.at(-1) ?? "";
    ok(last.includes("do shell script"), "it is one argument");
    ok(!last.includes("\u001b"), last);
    strictEqual(command.slice(0, -1).join(" ").includes("touch"), false);
  }
  const windows = desktopCommand(evil, "windows");
  deepStrictEqual(windows?.command, desktopCommand("", "windows")?.command);
  strictEqual(
    new TextDecoder().decode(Uint8Array.fromBase64(windows?.stdin ?? "")),
    inert(evil, " "),
  );
  strictEqual(desktopCommand("x", "freebsd"), null);
});

Deno.test({
  name:
    "a toast of Windows is shown by its own PowerShell, without another one's modules, and a refusal is told",
  ignore: needs("scripts"),
  fn: async () => {
    await using folder = new TempFolder();
    // A stand-in at the place below SystemRoot; on Linux, \\ is a letter of it.
    const root = folder.join("root");
    const program =
      `${root}\\System32\\WindowsPowerShell\\v1.0\\powershell.exe`;
    const seen = folder.join("seen");
    await Deno.writeTextFile(
      program,
      `#!/bin/sh\ncat > "${seen}"\nprintf '\\n%s\\n%s' "$PSModulePath" "$*" >> "${seen}"\nexit "\${TOAST_CODE:-0}"\n`,
      { mode: 0o755 },
    );
    const failures: string[] = [];
    const tell = async (more: Readonly<Record<string, string>>) => {
      const programs = new NoticePrograms({
        command: "",
        isDesktop: true,
        system: "windows",
        runner: commandRunner({
          system: "windows",
          environment: () => ({
            PATH: Deno.env.get("PATH"),
            SystemRoot: root,
            PSModulePath: "C:\\Program Files\\PowerShell\\7\\Modules",
            ...more,
          }),
        }),
        failed: (reason) => failures.push(reason),
      });
      await programs.tell({ text: "Größe: no account serves" } as NoticeEvent);
    };
    await tell({});
    deepStrictEqual(failures, []);
    const [base64 = "", modules, args = ""] = (await Deno.readTextFile(seen))
      .split("\n");
    strictEqual(
      new TextDecoder().decode(Uint8Array.fromBase64(base64)),
      "Größe: no account serves",
    );
    strictEqual(modules, "", "PowerShell 7 leaves its modules behind");
    match(args, /^-NoProfile -NonInteractive -Command .*\.Show\(\$toast\)$/);
    ok(!args.includes("serves"), "the text is no part of a command line");
    await tell({ TOAST_CODE: "1" });
    deepStrictEqual(failures, ["powershell.exe ended with code 1"]);
  },
});

Deno.test({
  name: "a program that hangs and ignores SIGTERM is ended all the same",
  ignore: needs("scripts"),
  fn: async () => {
    const runner = commandRunner({
      system: "linux",
      environment: () => ({ PATH: Deno.env.get("PATH") }),
    });
    const startedMs = performance.now();
    const outcome = await runner.run(
      "sh",
      ["-c", 'trap "" TERM; exec sleep 60'],
      { stdin: "", timeoutMs: 200 },
    );
    deepStrictEqual(outcome, { kind: "timed_out" });
    ok(performance.now() - startedMs < 20_000);
  },
});
