/**
 * `tc demo`: a server with simulated accounts and traffic.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { systemClock, systemEntropy } from "../../system/clock.ts";
import { DemoStage } from "../../demo/stage/demo_stage.ts";
import type { StatusView } from "../../control/protocol.ts";
import { ControlClient } from "../../control/client.ts";
import { inert, useText } from "../../control/words.ts";
import {
  DEFAULT_SCENARIO,
  type Scenario,
  scenarioNamed,
  SCENARIOS,
} from "../../demo/scenario.ts";
import { EXIT, TcError, UsageError } from "../../errors.ts";
import { openDesk, openShellVault } from "../accounts/account_work.ts";
import { familyOwners, projectFinder } from "../login/login_stores.ts";
import { serveWithDeck } from "./deck_shell.ts";
import { logSink, NO_LOG } from "../../records/log/log_sink.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { type Serving, startServing } from "../../server/serving.ts";
import { Shell } from "../shell.ts";
import { withMoreFiles } from "./more_files.ts";
import type { System } from "../../variables.ts";
import { knownSignals } from "../../signals.ts";
import { withVariables } from "../../shell_words.ts";

interface DemoFlags {
  readonly once?: boolean | undefined;
  readonly list?: boolean | undefined;
  readonly json?: boolean | undefined;
  readonly seconds?: string | undefined;
  readonly port?: string | undefined;
  readonly seed?: string | undefined;
}

const ENDING = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const QUESTION = "Say in three sentences what a pool of accounts is good for.";

const TEXT: CommandText = {
  name: "demo",
  group: "start",
  summary: "Try tc with simulated accounts",
  examples: ["tc demo", "tc demo --once"],
  schema: "tc.demo/v1",
};

export function registerDemo(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .argument("[scenario]", "A scenario of the list", DEFAULT_SCENARIO)
    .option("--once", "Send one request through the proxy and end")
    .option("--list", "List the scenarios")
    .option("--seconds <number>", "Stop after this many seconds")
    .option("--port <number>", "Listen on this port")
    .option("--seed <text>", "Seed for the simulated traffic")
    .option("--json", "Print one JSON object (with --once or --list)")
    .action(registry.run(async (name, flags) => {
      if (flags.list) return list(new Shell(registry, flags));
      const scenario = scenarioNamed(name);
      if (scenario === null) throw unknownScenario(name);
      return await withMoreFiles(
        () => stagePlay(registry, scenario, flags),
        registry.system,
      );
    }));
}

async function stagePlay(
  registry: Registry,
  scenario: Scenario,
  flags: DemoFlags,
): Promise<number> {
  using signals = new EarlyEnd(registry.system);
  await using stage = await DemoStage.open({
    scenario: scenario.name,
    seed: flags.seed ?? systemEntropy.uuid(),
  });
  const make = () =>
    new Shell(
      {
        system: registry.system,
        environment: { ...registry.environment, ...stage.variables },
      },
      flags,
      {
        ...stage.settings,
        "proxy.port": number(flags.port) ?? 0,
        ...(flags.once ? { "usage.poll": false } : {}),
      },
    );
  return await play(stage, make, { flags, scenario, signals });
}

function unknownScenario(name: string): UsageError {
  return new UsageError(
    `Cannot play ${name}: there is no such scenario`,
    "tc demo --list   names them",
  );
}

function list({ output }: Shell): number {
  if (output.isJson) {
    output.json({
      schema: "tc.scenarios/v1",
      scenarios: SCENARIOS.map(({ name, says }) => ({ name, says })),
    });
    return EXIT.ok;
  }
  for (const { name, says } of SCENARIOS) {
    output.line(`${name.padEnd(12)}${says}`);
  }
  return EXIT.ok;
}

function number(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (!/^\d{1,9}$/.test(text)) {
    throw new UsageError(`Cannot use ${text}: it must be a whole number`);
  }
  return Number(text);
}

interface Play {
  readonly flags: DemoFlags;
  readonly scenario: Scenario;
  readonly signals: EarlyEnd;
}

/**
 * Ends the process on a signal, and removes the demo's folder, until the server
 * handles signals.
 */
class EarlyEnd implements Disposable {
  readonly #system: System;
  readonly #held: (readonly [Deno.Signal, () => void])[] = [];

  constructor(system: System) {
    this.#system = system;
    for (const signal of knownSignals(ENDING, system)) {
      this.#listen(signal, () => Deno.exit(EXIT.interrupted));
    }
  }

  /**
   * Lets the server handle signals, except SIGHUP: it would reload its
   * settings, but a demo without a terminal ends.
   */
  hangUp(listener: () => void): void {
    this[Symbol.dispose]();
    for (const signal of knownSignals(["SIGHUP"], this.#system)) {
      this.#listen(signal, listener);
    }
  }

  #listen(signal: Deno.Signal, listener: () => void): void {
    Deno.addSignalListener(signal, listener);
    this.#held.push([signal, listener]);
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#held.splice(0)) {
      Deno.removeSignalListener(signal, listener);
    }
  }
}

async function play(
  stage: DemoStage,
  make: () => Shell,
  { flags, scenario, signals }: Play,
): Promise<number> {
  const shell = make();
  const { vault } = await openShellVault(shell);
  await stage.fill(vault);
  const hasDeck = !flags.once && shell.hasScreen;
  const log = flags.once || hasDeck ? NO_LOG : logSink(null, shell.environment);
  const serving = await startServing(shell, {
    log,
    readConfig: () => make().config,
    changes: (await openDesk(shell)).desk,
    owners: familyOwners(shell),
    findProject: projectFinder(shell),
    successor: null,
    takesOverFrom: null,
  });
  signals.hangUp(() => {
    // The sessions are simulated: stop at once.
    serving.stop();
    serving.stop();
  });
  const { host, port } = serving.server;
  const baseUrl = `http://${host}:${port}/k/${shell.key.reveal()}`;
  if (flags.once) return await once(stage, shell, { serving, baseUrl });
  if (hasDeck) {
    stage.drive(baseUrl);
    return await playOnDeck(stage, shell, {
      serving,
      seconds: number(flags.seconds),
    });
  }
  shell.output.say(
    `tc demo, ${scenario.name}: ${scenario.says}. No real account is used; Ctrl-C ends it.`,
  );
  shell.output.say(
    `Claude Code on it: ${
      withVariables(shell.person, {
        ANTHROPIC_BASE_URL: baseUrl,
        ANTHROPIC_AUTH_TOKEN: "demo",
      }, "claude")
    }`,
  );
  stage.drive(baseUrl);
  return await until(serving, number(flags.seconds));
}

async function playOnDeck(
  stage: DemoStage,
  shell: Shell,
  { serving, seconds }: {
    readonly serving: Serving;
    readonly seconds: number | null;
  },
): Promise<number> {
  const over = new AbortController();
  const files = stage.keepFleet(over.signal);
  const leaving = new AbortController();
  try {
    const code = await serveWithDeck(shell, {
      ...serving,
      ended: until(serving, seconds),
      stop: () => {
        leaving.abort();
        // The sessions are simulated: stop at once.
        serving.stop();
        serving.stop();
      },
    }, {
      claudeFolder: stage.claudeFolder,
      isLasting: false,
      refusal:
        "The demo uses none of your accounts. To add one, run tc login outside of it.",
    });
    return leaving.signal.aborted ? EXIT.ok : code;
  } finally {
    over.abort();
    await files;
  }
}

/** Waits for a signal, or until the given time is over. */
async function until(
  serving: Serving,
  seconds: number | null,
): Promise<number> {
  if (seconds === null) return await serving.ended;
  const stop = new AbortController();
  systemClock.sleep(seconds * 1_000, stop.signal).then(
    () => serving.stop(),
    () => {},
  );
  const code = await serving.ended;
  stop.abort();
  return code;
}

async function once(
  stage: DemoStage,
  shell: Shell,
  { serving, baseUrl }: { readonly serving: Serving; readonly baseUrl: string },
): Promise<number> {
  const { output } = shell;
  const client = new ControlClient(serving.server.transport);
  // Let the first choice fail, so that the one request shows a change of
  // account.
  const { decision } = await client.explain(null);
  if (decision.account !== null) stage.spend(decision.account);
  const startedMs = performance.now();
  let text = "";
  const answer = await stage.ask(baseUrl, QUESTION, (piece) => {
    text += piece;
    if (!output.isJson) output.raw(piece);
  });
  const tookMs = Math.round(performance.now() - startedMs);
  const status = await client.status();
  serving.stop();
  await serving.ended;
  if (answer.status !== 200 || answer.ending !== "complete") {
    throw new TcError(
      `Cannot show an answer: ${answer.message ?? answer.ending}`,
      { code: "demo_failed", exitCode: EXIT.unavailable },
    );
  }
  print(output, { status, text, tookMs });
  return EXIT.ok;
}

function print(
  output: Shell["output"],
  { status, text, tookMs }: {
    readonly status: StatusView;
    readonly text: string;
    readonly tookMs: number;
  },
): void {
  const [request] = status.activity;
  const account = request?.account ?? null;
  if (output.isJson) {
    const reason = request?.reason ?? null;
    const attempts = request?.attempts ?? null;
    output.json({
      schema: "tc.demo/v1",
      text,
      account,
      reason,
      attempts,
      durationMs: tookMs,
    });
    return;
  }
  const asked = status.accounts.length;
  output.line("\n");
  output.line(
    `Served by ${inert(account ?? "nobody")}, one of ${asked} accounts, in ${
      (tookMs / 1_000).toFixed(1)
    } s.`,
  );
  if (request === undefined) return;
  const why = useText(request.reason, request.movedFrom);
  output.line(`Why ${inert(account ?? "nobody")}: ${why}.`);
}
