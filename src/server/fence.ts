/**
 * Tries what a fenced thread must not be able to do, and reports the outcome:
 * the proof behind `tc doctor --prove`.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The targets of the attempts. */
export interface FenceTargets {
  /** A folder that exists, holds `bait.txt`, and is not granted. */
  readonly outside: string;
  /** A granted folder, or null where no file is granted at all. */
  readonly inside: string | null;
  /** The config, whether it is there or not. */
  readonly config: string;
  /** The folder of files that hold secrets, or commands of other programs. */
  readonly commands: string;
  /** A port on 127.0.0.1 that nobody granted. */
  readonly port: number;
}

/** Every kind of thing that a thread may be kept from. */
export const EVERY_KIND = [
  "read",
  "write",
  "net",
  "env",
  "run",
  "sys",
  "ffi",
] as const;

type AttemptKind = typeof EVERY_KIND[number];

/** The outcome of one attempt. */
export interface FenceAttempt {
  readonly kind: AttemptKind;
  /** What was tried, in words. */
  readonly what: string;
  readonly outcome: "refused" | "allowed";
  /** What the platform said, or null where it let it happen. */
  readonly said: string | null;
}

type Attempt = readonly [
  kind: AttemptKind,
  what: string,
  attempt: (targets: FenceTargets) => unknown,
];

const READS: readonly Attempt[] = [
  [
    "read",
    "a file outside by Deno",
    ({ outside }) => Deno.readTextFileSync(join(outside, "bait.txt")),
  ],
  [
    "read",
    "a file outside by node:fs",
    ({ outside }) => readFileSync(join(outside, "bait.txt")),
  ],
  ["read", "a folder outside", ({ outside }) => [...Deno.readDirSync(outside)]],
  [
    "read",
    "a way out by ..",
    ({ inside, outside }) =>
      Deno.readTextFileSync(
        `${inside ?? outside}/../${"../".repeat(30)}${outside}/bait.txt`,
      ),
  ],
  [
    "read",
    "a database outside",
    ({ outside }) =>
      new DatabaseSync(join(outside, "bait.db")).exec("SELECT 1"),
  ],
  ["read", "a database attached from outside", attachOutside],
  [
    "read",
    "a file outside by fetch",
    async ({ outside }) =>
      await (await fetch(`file://${outside}/bait.txt`)).text(),
  ],
];

const WRITES: readonly Attempt[] = [
  [
    "write",
    "a file outside by Deno",
    ({ outside }) => Deno.writeTextFileSync(join(outside, "made"), ""),
  ],
  [
    "write",
    "a file outside by node:fs",
    ({ outside }) => writeFileSync(join(outside, "made"), ""),
  ],
  [
    "write",
    "a file outside renamed",
    ({ outside }) =>
      Deno.renameSync(join(outside, "bait.txt"), join(outside, "moved")),
  ],
  [
    "write",
    "a link to the outside",
    ({ inside, outside }) =>
      Deno.symlinkSync(outside, join(inside ?? outside, "way-out")),
  ],
];

/**
 * Files with which the worker could widen its own permissions, or make other
 * programs run commands.
 */
const OWN_RIGHTS: readonly Attempt[] = [
  [
    "write",
    "the config that decides what the next worker may touch",
    ({ config }) => appendTo(config),
  ],
  ["write", "the config replaced", ({ config }) => replace(config)],
  [
    "write",
    "a command that the client runs for its status line",
    ({ commands }) => appendTo(join(commands, "statusline.json")),
  ],
  [
    "write",
    "a command that the client runs as a hook",
    ({ commands }) => appendTo(join(commands, "plugin", "hooks.json")),
  ],
  ["write", "the local key", ({ commands }) => appendTo(join(commands, "key"))],
  [
    "read",
    "the local key",
    ({ commands }) => Deno.readTextFileSync(join(commands, "key")),
  ],
];

/** Appends nothing: opening the file for it shows whether it is allowed. */
function appendTo(path: string): void {
  Deno.openSync(path, { append: true, create: true }).close();
}

function replace(path: string): void {
  Deno.renameSync(path, path);
}

const NETWORK: readonly Attempt[] = [
  [
    "net",
    "a connection to another port of this machine",
    ({ port }) => Deno.connect({ hostname: "127.0.0.1", port }),
  ],
  [
    "net",
    "a request to another host",
    ({ port }) => fetch(`http://127.0.0.1:${port}/`),
  ],
  [
    "net",
    "a listener on another port",
    () => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close(),
  ],
  ["net", "a name looked up", () => Deno.resolveDns("example.com", "A")],
];

const OTHERS: readonly Attempt[] = [
  ["env", "a variable", () => Deno.env.get("HOME")],
  ["env", "all variables", () => Deno.env.toObject()],
  // Every system has this very program.
  [
    "run",
    "a program by Deno",
    () => new Deno.Command(Deno.execPath(), { args: ["version"] }).outputSync(),
  ],
  [
    "run",
    "a program by node:child_process",
    () => execFileSync(Deno.execPath(), ["version"], { stdio: "ignore" }),
  ],
  ["sys", "the machine's name", () => Deno.hostname()],
  [
    "ffi",
    "native code",
    ({ outside }) => Deno.dlopen(join(outside, "bait.txt"), {}),
  ],
];

/** Tries `kinds` one after the other. It does not undo what was allowed. */
export async function tryFence(
  targets: FenceTargets,
  kinds: readonly AttemptKind[],
): Promise<readonly FenceAttempt[]> {
  const results: FenceAttempt[] = [];
  for (
    const [kind, what, attempt] of [
      ...READS,
      ...WRITES,
      ...OWN_RIGHTS,
      ...NETWORK,
      ...OTHERS,
    ]
  ) {
    if (!kinds.includes(kind)) continue;
    results.push({ kind, what, ...await outcomeOf(attempt, targets) });
  }
  return results;
}

async function outcomeOf(
  attempt: Attempt[2],
  targets: FenceTargets,
): Promise<Pick<FenceAttempt, "outcome" | "said">> {
  try {
    await attempt(targets);
    return { outcome: "allowed", said: null };
  } catch (cause) {
    const said = cause instanceof Error
      ? `${cause.name}: ${cause.message}`
      : String(cause);
    return { outcome: isRefusal(cause) ? "refused" : "allowed", said };
  }
}

/**
 * Returns whether the platform refused; with any other error the attempt got
 * past the fence.
 */
function isRefusal(cause: unknown): boolean {
  if (cause instanceof Deno.errors.NotCapable) return true;
  const { code, message } = cause as { code?: unknown; message?: unknown };
  return code === "EACCES" || code === "ERR_ACCESS_DENIED" ||
    /NotCapable|Requires \w+ access|too many attached databases/.test(
      String(message),
    );
}

/** Opens a database in a granted folder and attaches a file outside of it. */
function attachOutside({ inside, outside }: FenceTargets): void {
  const file = inside === null ? ":memory:" : join(inside, "fence-probe.db");
  const database = new DatabaseSync(file);
  try {
    database.exec(`ATTACH '${join(outside, "bait.db")}' AS outside_db`);
    database.exec("CREATE TABLE outside_db.made (a)");
  } finally {
    database.close();
    if (inside !== null) Deno.removeSync(file);
  }
}
