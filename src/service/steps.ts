/**
 * Runs the commands of a plan.
 *
 * @module
 */

import { EXIT, TcError } from "../errors.ts";
import type { Clock, CommandOutcome, CommandRunner } from "../ports.ts";

/** A command line of the service manager. */
export type ServiceCommand = readonly [string, ...string[]];

export interface ServiceStep {
  readonly command: ServiceCommand;
  /** Whether to ignore its failure: what it ends may not exist. */
  readonly mayFail?: boolean;
  /**
   * How long to retry it, in seconds, because what was there may still be
   * ending.
   */
  readonly retrySec?: number;
}

interface StepPorts {
  readonly runner: CommandRunner;
  readonly clock: Clock;
}

const COMMAND_MS_MAX = 90_000;
const RETRY_PAUSE_MS = 1_000;

/** Runs `steps` in order. Throws TcError if a required one fails. */
export async function runSteps(
  steps: readonly ServiceStep[],
  ports: StepPorts,
): Promise<void> {
  for (const step of steps) await runStep(step, ports);
}

async function runStep(
  { command, mayFail = false, retrySec = 0 }: ServiceStep,
  { runner, clock }: StepPorts,
): Promise<void> {
  const deadlineMs = clock.monotonicMs() + retrySec * 1_000;
  for (;;) {
    const outcome = await askManager(command, runner);
    if (mayFail || outcome.kind === "exited" && outcome.code === 0) return;
    const isLate = clock.monotonicMs() >= deadlineMs;
    if (isLate || outcome.kind !== "exited") throw failed(command, outcome);
    await clock.sleep(RETRY_PAUSE_MS);
  }
}

/** Runs one command line. Returns its outcome. */
export async function askManager(
  [program, ...args]: ServiceCommand,
  runner: CommandRunner,
): Promise<CommandOutcome> {
  return await runner.run(program, args, {
    stdin: "",
    timeoutMs: COMMAND_MS_MAX,
  });
}

function failed(command: ServiceCommand, outcome: CommandOutcome): TcError {
  const why = outcome.kind === "missing"
    ? "there is no such program"
    : outcome.kind === "timed_out"
    ? "it did not finish in time"
    : (outcome.stderr || outcome.stdout).trim() || `code ${outcome.code}`;
  return new TcError(`Cannot run ${command.join(" ")}: ${why}`, {
    code: "service_failed",
    exitCode: EXIT.unavailable,
    hint: "tc service print   shows the file and the commands",
  });
}
