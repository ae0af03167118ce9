/**
 * Launching Claude Code: the environment that leads it through the proxy, and
 * a parent that hands over the terminal, the signals and the exit code.
 *
 * @module
 */

import { delimiter, join } from "node:path";
import { EXIT, TcError } from "../errors.ts";

export type Variables = Readonly<Record<string, string>>;

export interface LaunchFacts {
  /** `http://127.0.0.1:3456`, without the key. */
  readonly origin: string;
  /** The local key, as the first path segment of the base URL. */
  readonly key: string;
  /**
   * Claude Code has a login of its own: then it stays in its subscription mode
   * (features, 1-hour cache, limits in the statusline) and only the base URL
   * leads it here.
   */
  readonly hasOwnLogin: boolean;
  readonly isSubscriptionPool: boolean;
  /** Longest silence before an answer's head: a hold's silent part. */
  readonly silentMsMax: number;
  /** Longest hold of a stream, with pings. */
  readonly holdMsMax: number;
  /** Only this account may serve the launch, by its label. */
  readonly account: string | null;
  /** How accounts are chosen for the launch; null is as for all others. */
  readonly policy: string | null;
  /** The server's Unix socket, where the launch goes by it; else null. */
  readonly socket: string | null;
}

/** What Claude Code takes for granted when nothing is set. */
const API_TIMEOUT_MS = 600_000;
const STREAM_IDLE_MS = 300_000;
const STREAM_IDLE_MS_MAX = 1_800_000;
const MARGIN_MS = 60_000;

/**
 * The variables to set, and those to remove (null). Nothing else of the
 * environment is touched. Sources: claude-code 2.1.329 as recorded.
 */
export function launchVariables(
  facts: LaunchFacts,
  present: Variables,
): Readonly<Record<string, string | null>> {
  const set: Record<string, string | null> = {
    // With a socket the host is never dialled, and http keeps TLS away
    // (claude-code 2.1.329, as recorded; the variable is in no official list).
    ANTHROPIC_BASE_URL: facts.socket === null
      ? `${facts.origin}/k/${facts.key}`
      : `http://localhost/k/${facts.key}`,
    ANTHROPIC_UNIX_SOCKET: facts.socket,
    // It would outrank the login and turn subscription mode off.
    ANTHROPIC_API_KEY: null,
    ANTHROPIC_AUTH_TOKEN: null,
    // Off by default for a host that is not Anthropic's; we pass its blocks on.
    ENABLE_TOOL_SEARCH: present["ENABLE_TOOL_SEARCH"] ?? "true",
  };
  if (!facts.hasOwnLogin) {
    // Any value makes the client speak; the key in the path is what counts.
    set["ANTHROPIC_AUTH_TOKEN"] = "tc-local";
    if (facts.isSubscriptionPool) {
      set["ENABLE_PROMPT_CACHING_1H"] = present["ENABLE_PROMPT_CACHING_1H"] ??
        "1";
    }
  }
  for (const name of noProxyNames(present)) {
    set[name] = withLoopback(present[name] ?? "");
  }
  raise(set, present, {
    name: "API_TIMEOUT_MS",
    needed: facts.silentMsMax + MARGIN_MS,
    usual: API_TIMEOUT_MS,
  });
  raise(set, present, {
    name: "CLAUDE_STREAM_IDLE_TIMEOUT_MS",
    needed: Math.min(facts.holdMsMax + MARGIN_MS, STREAM_IDLE_MS_MAX),
    usual: Math.max(STREAM_IDLE_MS, API_TIMEOUT_MS + MARGIN_MS),
  });
  const wishes = [
    ...(facts.account === null ? [] : [["x-tc-account", facts.account]]),
    ...(facts.policy === null ? [] : [["x-tc-policy", facts.policy]]),
  ] as const;
  if (wishes.length > 0) {
    set["ANTHROPIC_CUSTOM_HEADERS"] = withHeaders(
      present["ANTHROPIC_CUSTOM_HEADERS"] ?? "",
      wishes,
    );
  }
  return set;
}

/** A launch within a launch says anew what the outer one said. */
function withHeaders(
  present: string,
  wishes: readonly (readonly string[])[],
): string {
  const names = wishes.map(([name]) => name);
  const others = present.split("\n").filter((line) =>
    line !== "" &&
    !names.includes(line.split(":", 1)[0]?.trim().toLowerCase())
  );
  return [...others, ...wishes.map((wish) => wish.join(": "))].join("\n");
}

/** The client sends loopback traffic through a proxy unless this names it. */
function noProxyNames(present: Variables): readonly string[] {
  const written = ["NO_PROXY", "no_proxy"].filter((name) => name in present);
  return written.length === 0 ? ["NO_PROXY"] : written;
}

function withLoopback(list: string): string {
  const names = list.split(",").map((name) => name.trim()).filter((name) =>
    name !== ""
  );
  const missing = ["127.0.0.1", "localhost"].filter((name) =>
    !names.includes(name)
  );
  return [...names, ...missing].join(",");
}

function raise(
  set: Record<string, string | null>,
  present: Variables,
  limit: {
    readonly name: string;
    readonly needed: number;
    readonly usual: number;
  },
): void {
  const written = Number(present[limit.name] ?? "NaN");
  const now = Number.isFinite(written) ? written : limit.usual;
  if (now < limit.needed) set[limit.name] = String(limit.needed);
}

/** `present` with `changes` carried out. */
export function applied(
  present: Variables,
  changes: Readonly<Record<string, string | null>>,
): Record<string, string> {
  const next: Record<string, string> = { ...present };
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) delete next[name];
    else next[name] = value;
  }
  return next;
}

/** The path of `name` found on PATH, or null. */
export function findProgram(
  name: string,
  { path, system, extensions }: {
    readonly path: string;
    readonly system: string;
    /** PATHEXT of Windows. */
    readonly extensions: string;
  },
): string | null {
  const endings = system === "windows" ? ["", ...extensions.split(";")] : [""];
  const separator = system === "windows" ? ";" : delimiter;
  for (const folder of path.split(separator)) {
    if (folder === "") continue;
    for (const ending of endings) {
      const candidate = join(folder, `${name}${ending.toLowerCase()}`);
      if (isProgram(candidate, system)) return candidate;
    }
  }
  return null;
}

function isProgram(path: string, system: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && (system === "windows" || ((mode ?? 0) & 0o111) !== 0);
  } catch {
    // Whatever cannot be looked at cannot be run.
    return false;
  }
}

/** The error of a machine without Claude Code. */
export function claudeMissing(): TcError {
  return new TcError("Claude Code is not on your PATH", {
    code: "no_claude",
    source: "user",
    exitCode: EXIT.unavailable,
    hint: "Install it first: https://code.claude.com/docs",
  });
}

/**
 * The terminal sends these to the whole group: the child has them already. Not
 * SIGTSTP, which must stop this process as well or the shell never returns.
 */
const LEFT_TO_CHILD: readonly Deno.Signal[] = ["SIGINT", "SIGQUIT"];
const FORWARDED: readonly Deno.Signal[] = [
  "SIGTERM",
  "SIGHUP",
  "SIGUSR1",
  "SIGUSR2",
];
const SIGNAL_NUMBERS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGKILL: 9,
  SIGTERM: 15,
};

/** Runs `program` in the place of this process as far as that goes; its exit code. */
export async function runInPlace(
  program: string,
  args: readonly string[],
  variables: Variables,
): Promise<number> {
  const child = new Deno.Command(program, {
    args: [...args],
    env: { ...variables },
    clearEnv: true,
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  const handlers = signalHandlers(child);
  for (const [signal, handler] of handlers) {
    Deno.addSignalListener(signal, handler);
  }
  try {
    const { code, signal } = await child.status;
    return signal === null ? code : 128 + (SIGNAL_NUMBERS[signal] ?? 0);
  } finally {
    for (const [signal, handler] of handlers) {
      Deno.removeSignalListener(signal, handler);
    }
  }
}

function signalHandlers(
  child: Deno.ChildProcess,
): readonly (readonly [Deno.Signal, () => void])[] {
  if (Deno.build.os === "windows") return [["SIGINT", leaveIt]];
  return [
    ...LEFT_TO_CHILD.map((signal) => [signal, leaveIt] as const),
    ...FORWARDED.map((signal) =>
      [signal, () => forward(child, signal)] as const
    ),
  ];
}

function leaveIt(): void {}

function forward(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (cause) {
    // It ended between the signal and here.
    if (
      !(cause instanceof Deno.errors.NotFound) && !(cause instanceof TypeError)
    ) throw cause;
  }
}
