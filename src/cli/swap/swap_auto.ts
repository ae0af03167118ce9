/**
 * `tc swap auto`, and two hidden commands: Claude Code runs `helper`, which
 * prints a key, and tc runs `wake`, which waits for a reset.
 *
 * @module
 */

import { policyNamed } from "../accounts/policy_option.ts";
import { claudeProgram, marked } from "../launch/claude_program.ts";
import { type Command, Option } from "@commander-js/extra-typings";
import { systemClock } from "../../system/clock.ts";
import { runInPlace } from "../../claude/launch.ts";
import { POLICY_NAMES, type PolicyName } from "../../core/settings.ts";
import { SECOND_MS } from "../../core/time.ts";
import { EXIT, reasonOf, UsageError } from "../../errors.ts";
import { type AutoResult, autoSwap } from "../../swap/auto_swap.ts";
import { nextKey } from "../../swap/key_mode.ts";
import { openShellVault, storedAccounts } from "../accounts/account_work.ts";
import { startDetached } from "../../system/own_command.ts";
import { presentVariables } from "../launch/launching.ts";
import type { Registry } from "../registry.ts";
import { readEnvironment, Shell } from "../shell.ts";
import {
  autoWords,
  swapRivals,
  tellHolders,
  tellRivals,
} from "./swap_words.ts";
import { openSwap, swapMemory } from "./swapping.ts";
import type { System } from "../../variables.ts";

const DEFAULT_THRESHOLD = 0.8;
/** Interval at which a waiting process checks whether it is still needed. */
const WAKE_LOOK_MS = 10 * SECOND_MS;

interface AutoCommandOptions {
  readonly ifNeeded?: boolean | undefined;
  readonly threshold?: string | undefined;
  readonly launch?: boolean | undefined;
  readonly policy?: string | undefined;
  readonly afterLimit?: boolean | undefined;
  readonly json?: boolean | undefined;
  readonly hook?: boolean | undefined;
}

export function registerSwapAuto(
  swap: Command<[], Record<string, unknown>>,
  registry: Registry,
): void {
  swap.command("auto")
    .description("Give Claude Code the best login, or keys when all are spent")
    .argument("[args...]", "Arguments for Claude Code, after --")
    .option(
      "--if-needed",
      "Check only the account in use, unless it is full",
    )
    .option(
      "--threshold <part>",
      "Used part to stay below, 0 to 1 (default 0.8)",
    )
    .option("--policy <name>", `One of ${POLICY_NAMES.join(", ")}`)
    .option(
      "--launch",
      "Start Claude Code afterwards, even if nothing was swapped",
    )
    .option("--json", "Print one JSON object")
    .addOption(new Option("--after-limit").hideHelp())
    .addOption(new Option("--hook").hideHelp())
    .passThroughOptions()
    .action(registry.run((args, options) => {
      return auto(new Shell(registry, options), args, options);
    }));
  swap.command("helper", { hidden: true })
    .description("Print the next API key; Claude Code calls it")
    .action(registry.run(() => helper(new Shell(registry, {}))));
  swap.command("wake", { hidden: true })
    .description("Wait and look for a login that has reset")
    .argument("<seconds>")
    .action(registry.run((seconds) => {
      return wake(new Shell(registry, {}), seconds);
    }));
}

async function auto(
  shell: Shell,
  args: readonly string[],
  options: AutoCommandOptions,
): Promise<number> {
  if (args.length > 0 && !options.launch) {
    throw new UsageError(
      "Cannot pass arguments on without --launch",
      "tc swap auto --launch -- --continue",
    );
  }
  const threshold = thresholdOf(options);
  const policy = options.policy === undefined
    ? null
    : policyNamed(options.policy);
  if (!options.launch) {
    return await swapNow(shell, options, { threshold, policy });
  }
  try {
    await swapNow(shell, options, { threshold, policy });
  } catch (cause) {
    // A failure must not keep Claude Code from starting.
    shell.output.say(reasonOf(cause));
  }
  return await launch(shell, args);
}

async function swapNow(
  shell: Shell,
  options: AutoCommandOptions,
  { threshold, policy }: {
    readonly threshold: number | null;
    readonly policy: PolicyName | null;
  },
): Promise<number> {
  using swap = await openSwap(shell, { policy, threshold: null });
  const result = await autoSwap({
    threshold,
    isAfterLimit: options.afterLimit ?? false,
    isUnasked: options.hook ?? false,
  }, swap.ports);
  if (result.kind !== "empty" && !options.hook) {
    await swap.ports.memory.update((state) =>
      state.isOn ? state : { ...state, isOn: true }
    );
  }
  afterwards(result);
  const { text, exitCode } = autoWords(result);
  const { output } = shell;
  if (output.isJson) output.json({ schema: "tc.swap_auto/v1", ...result });
  else output.say(text);
  const isShown = !options.hook && !output.isJson;
  if (isShown && (result.kind === "swapped" || result.kind === "kept")) {
    tellRivals(swapRivals(shell), shell);
  }
  if (result.kind === "swapped" && !options.hook) {
    const { account } = await swap.ports.memory.load();
    if (account !== null) await tellHolders(account, result, shell);
  }
  return exitCode;
}

/** Starts a run at the first known reset, to return from keys to a login. */
function afterwards(result: AutoResult): void {
  if (result.kind !== "keys" || result.wakeAt === null) return;
  const seconds = (result.wakeAt - systemClock.now()) / SECOND_MS;
  startDetached(["swap", "wake", String(Math.ceil(Math.max(0, seconds)))]);
}

/**
 * Gives the next turn another login, after a turn was refused for its limit.
 * Returns the name of its account, or null if nothing was swapped.
 */
export async function swapAfterLimit(
  system: System,
): Promise<string | null> {
  const shell = new Shell(
    { environment: readEnvironment(system), system },
    {},
  );
  using swap = await openSwap(shell, {
    policy: null,
    threshold: null,
    isHook: true,
  });
  const result = await autoSwap(
    { threshold: null, isAfterLimit: true, isUnasked: true },
    swap.ports,
  );
  afterwards(result);
  return result.kind === "swapped" ? result.label : null;
}

async function launch(shell: Shell, args: readonly string[]): Promise<number> {
  const claude = claudeProgram(shell);
  const variables = marked(shell, claude, presentVariables(shell));
  return await runInPlace(claude, args, variables, shell.system);
}

/** Prints the key at once, and starts a run that may return to a login. */
async function helper(shell: Shell): Promise<number> {
  const { vault } = await openShellVault(shell);
  const key = await nextKey({
    vault,
    memory: await swapMemory(shell),
    accounts: async () => (await storedAccounts(shell)).accounts,
  });
  shell.output.line(key.reveal());
  startDetached(["swap", "auto", "--hook"]);
  return EXIT.ok;
}

/**
 * Looks for a login after `text` seconds. Ends early if Claude Code no longer
 * uses keys or tc's files are gone: nobody else would end it then.
 */
async function wake(shell: Shell, text: string): Promise<number> {
  const seconds = Number(text);
  const isUsable = Number.isFinite(seconds) && seconds >= 0 && seconds < 86_400;
  if (!isUsable) throw new UsageError(`Cannot wait ${text} seconds`);
  const memory = await swapMemory(shell);
  const end = systemClock.now() + seconds * SECOND_MS;
  for (;;) {
    if ((await memory.load()).mode !== "apikey") return EXIT.ok;
    const left = end - systemClock.now();
    if (left <= 0) break;
    await systemClock.sleep(Math.min(left, WAKE_LOOK_MS));
  }
  await memory.update((state) => ({ ...state, wakeAt: null }));
  return await auto(shell, [], { hook: true });
}

function thresholdOf(
  { ifNeeded, threshold }: AutoCommandOptions,
): number | null {
  if (threshold === undefined) return ifNeeded ? DEFAULT_THRESHOLD : null;
  const part = Number(threshold);
  if (Number.isFinite(part) && part >= 0 && part <= 1) {
    return ifNeeded ? part : null;
  }
  throw new UsageError(
    `Cannot use --threshold ${threshold}: it must be a number from 0 to 1`,
  );
}
