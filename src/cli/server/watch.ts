/**
 * `tc watch`: shows the Deck of a running server; plain tables with `--plain`;
 * one line per request without a terminal.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { momentText } from "../../control/history/block_view.ts";
import { systemClock, systemZone } from "../../system/clock.ts";
import { journaldLine, logLine } from "../../records/log/journal.ts";
import { SessionReader } from "../../claude/sessions/sessions.ts";
import type { ActivityView } from "../../control/protocol.ts";
import { instantFromMs } from "../../core/time.ts";
import { startModel } from "../../deck/model.ts";
import { plainText } from "../../deck/terminal/plain.ts";
import { update } from "../../deck/update.ts";
import { EXIT, reasonOf, UsageError } from "../../errors.ts";
import { claudeFolder, lookOf, showDeck } from "./deck_shell.ts";
import { Interrupts } from "../../system/terminal_job.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import type { System } from "../../variables.ts";
import { knownSignals } from "../../signals.ts";

interface WatchFlags {
  readonly plain?: boolean | undefined;
  readonly every?: string | undefined;
}

const EVERY_S = 5;
const EVERY_MIN_S = 0.5;
const PLAIN_COLUMNS = 120;
const PLAIN_ROWS = 1_000;
const EVENT_RETRY_MS = 2_000;

const TEXT: CommandText = {
  name: "watch",
  group: "look",
  summary: "Show the live view of a running server",
  examples: [
    "tc watch",
    "tc watch --plain --every 10",
    "tc watch >>requests.log",
  ],
  schema: null,
};

export function registerWatch(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .option("--plain", "Print a table again and again, without a cursor")
    .option("--every <seconds>", "Seconds between tables", String(EVERY_S))
    .action(registry.run(async (flags) => {
      return await watch(new Shell(registry, {}), flags);
    }));
}

async function watch(shell: Shell, flags: WatchFlags): Promise<number> {
  const everyMs = seconds(flags.every) * 1_000;
  // Fail at once, with a message, if no server runs.
  await shell.client().health();
  const stop = new AbortController();
  const interrupts = new Interrupts();
  const release = onSignals((signal) => {
    if (signal === "SIGINT") interrupts.pass(() => stop.abort());
    else stop.abort();
  }, shell.system);
  try {
    if (flags.plain) return await plain(shell, everyMs, stop.signal);
    if (!shell.hasScreen) return await lines(shell, stop.signal);
    const end = await showDeck(shell, {
      transport: shell.transport(),
      isServer: false,
      signal: stop.signal,
      claudeFolder: null,
      whileAway: (run) => interrupts.whileAway(run),
      refusal: null,
    });
    return end === "aborted" ? EXIT.interrupted : EXIT.ok;
  } finally {
    release();
  }
}

function seconds(text: string | undefined): number {
  const value = Number(text ?? EVERY_S);
  if (Number.isFinite(value) && value >= EVERY_MIN_S) return value;
  throw new UsageError(
    `Cannot print every ${text} seconds: it must be ${EVERY_MIN_S} or more`,
  );
}

/**
 * Handles signals, so that the terminal is restored before the process ends.
 */
const ENDING = [
  "SIGINT",
  "SIGBREAK",
  "SIGTERM",
  "SIGHUP",
  "SIGQUIT",
] as const;

function onSignals(
  listener: (signal: Deno.Signal) => void,
  system: System,
): () => void {
  const signals = knownSignals(ENDING, system);
  const held = signals.map((signal) => {
    const listen = () => listener(signal);
    Deno.addSignalListener(signal, listen);
    return [signal, listen] as const;
  });
  return () => {
    for (const [signal, listen] of held) {
      Deno.removeSignalListener(signal, listen);
    }
  };
}

/** Prints a table at each interval, for a screen reader or a log. */
async function plain(
  shell: Shell,
  everyMs: number,
  signal: AbortSignal,
): Promise<number> {
  const client = shell.client();
  const folder = claudeFolder(shell);
  const reader = folder === null ? null : new SessionReader(folder);
  const columns = Number(shell.environment["COLUMNS"]) || PLAIN_COLUMNS;
  const zone = systemZone().name;
  while (!signal.aborted) {
    const now = systemClock.now();
    const status = await client.status();
    const local = await reader?.read(now) ?? [];
    const start = startModel({
      // Every list is printed whole: in a low box idle accounts share a line.
      size: { columns, rows: PLAIN_ROWS },
      now,
      look: lookOf(shell),
      isServer: false,
    });
    const [known] = update(start, { kind: "status", status });
    const [model] = update(known, { kind: "local", local });
    shell.output.line(
      `${momentText(now, zone)} (${zone})\n${plainText(model)}`,
    );
    await systemClock.sleep(everyMs, signal).catch(() => {});
  }
  return EXIT.interrupted;
}

/** Prints one structured line per request, as in the server's log. */
async function lines(shell: Shell, signal: AbortSignal): Promise<number> {
  const isJournald = Boolean(shell.environment["JOURNAL_STREAM"]) &&
    !Deno.stdout.isTerminal();
  const format = isJournald ? journaldLine : logLine;
  const client = shell.client();
  while (!signal.aborted) {
    try {
      for await (const data of client.events(signal)) {
        const view = activityIn(data);
        if (view === null) continue;
        shell.output.line(format({
          at: instantFromMs(view.at.ms),
          level: view.status >= 400 ? "warn" : "info",
          event: "request",
          fields: fieldsOf(view),
        }));
      }
    } catch (cause) {
      if (signal.aborted) break;
      shell.output.say(reasonOf(cause));
    }
    await systemClock.sleep(EVENT_RETRY_MS, signal).catch(() => {});
  }
  return EXIT.interrupted;
}

function activityIn(data: string): ActivityView | null {
  const event = JSON.parse(data) as { kind: string; view: ActivityView };
  return event.kind === "request" ? event.view : null;
}

function fieldsOf(
  view: ActivityView,
): Readonly<Record<string, string | number | null>> {
  return {
    session: view.session?.slice(0, 6) ?? null,
    agent: view.agent,
    account: view.account,
    model: view.model,
    status: view.status,
    ms: view.durationMs,
    ttft: view.firstByteMs,
    in: view.input,
    read: view.cacheRead,
    write: view.cacheWrite,
    out: view.output,
    reason: view.reason,
    from: view.movedFrom,
    tries: view.attempts > 1 ? view.attempts : null,
    end: view.end === "complete" ? null : view.end,
  };
}
