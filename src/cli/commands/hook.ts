/**
 * `tc hook`: what the plugin's hooks run. It fails open and quietly: exit 0 or
 * 1 and never 2, which would block a prompt, and nothing on stdout, which would
 * enter the context.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import {
  type HookInput,
  type HookName,
  hookName,
  readHookInput,
} from "../../claude/hook_input.ts";
import { CONTROL } from "../../control/protocol.ts";
import { EXIT } from "../../errors.ts";
import { autoSwap } from "../../swap/auto_swap.ts";
import { startDetached } from "../detached.ts";
import type { Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import { afterwards } from "../swap_auto.ts";
import { isInProfile, openSwap, swapMemory } from "../swapping.ts";

/** The client waits: a server that does not answer at once is let be. */
const TELL_MS = 500;
const STDIN_BYTES_MAX = 8 * 1024 * 1024;
const STDIN_MS_MAX = 1_000;
const THRESHOLD = "0.9";

export function registerHook(program: Command, registry: Registry): void {
  program.command("hook", { hidden: true })
    .description("What the Claude Code plugin's hooks run")
    .argument("[name...]")
    .allowUnknownOption()
    .action(registry.run((words) => guarded(words[0], registry)));
}

async function guarded(
  word: string | undefined,
  registry: Registry,
): Promise<number> {
  const name = hookName(word);
  if (name === null) return EXIT.ok;
  try {
    const shell = new Shell(registry.environment, {});
    await hook(name, readHookInput(await stdin()), shell);
    return EXIT.ok;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    Deno.stderr.writeSync(new TextEncoder().encode(`tc: ${reason}\n`));
    return EXIT.failed;
  }
}

async function hook(
  name: HookName,
  input: HookInput,
  shell: Shell,
): Promise<void> {
  if (isThroughProxy(shell)) return await tellServer(name, input, shell);
  // Nobody's login is touched before a person has begun to swap.
  if (isInProfile(shell) || !(await (await swapMemory(shell)).load()).isOn) {
    return;
  }
  switch (name) {
    case "session-start":
    case "user-prompt-submit":
      // It goes on behind the prompt; the next request has the new login.
      return startDetached([
        "swap",
        "auto",
        "--hook",
        "--if-needed",
        "--threshold",
        THRESHOLD,
      ]);
    case "stop-failure":
      if (input.error === "rate_limit") await swapAfterLimit(shell);
      return;
    case "pre-compact":
      return;
  }
}

/** Whether this Claude Code sends its requests to our server. */
function isThroughProxy(shell: Shell): boolean {
  const base = shell.environment["ANTHROPIC_BASE_URL"];
  return base !== undefined && URL.parse(base)?.origin === shell.origin;
}

async function tellServer(
  hook: HookName,
  input: HookInput,
  shell: Shell,
): Promise<void> {
  await shell.client(TELL_MS).send("POST", CONTROL.hook, { hook, ...input });
}

async function swapAfterLimit(shell: Shell): Promise<void> {
  using swap = await openSwap(shell, { policy: null, threshold: null });
  afterwards(
    await autoSwap({ threshold: null, isAfterLimit: true }, swap.ports),
  );
}

/** Standard input as far as it comes in a moment; a terminal says nothing. */
async function stdin(): Promise<string> {
  if (Deno.stdin.isTerminal()) return "";
  const reader = Deno.stdin.readable.getReader();
  const decoder = new TextDecoder();
  let text = "";
  const timer = setTimeout(() => reader.cancel(), STDIN_MS_MAX);
  try {
    while (text.length < STDIN_BYTES_MAX) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
    }
  } catch {
    // What came until then is all there is.
  } finally {
    clearTimeout(timer);
    await reader.cancel().catch(() => {});
  }
  return text;
}
