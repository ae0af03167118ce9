/**
 * Messages about a login with more than one holder, and about the end of a
 * swap.
 *
 * @module
 */

import type { AccountId } from "../../core/account.ts";
import { durationText, inert } from "../../control/words.ts";
import { systemClock } from "../../system/clock.ts";
import { EXIT } from "../../errors.ts";
import type { AutoResult } from "../../swap/auto_swap.ts";
import { helperCommand } from "../../claude/api_key_helper.ts";
import {
  type LoginRival,
  loginRivals,
  rivalText,
} from "../../claude/login/own_login.ts";
import { clientSettings, presentVariables } from "../launch/launching.ts";
import { ownCommand } from "../../system/own_command.ts";
import type { Shell } from "../shell.ts";
import { commandWord } from "../../shell_words.ts";

interface HolderFacts {
  readonly label: string;
  /** Another place with the same login, or null. */
  readonly alsoAt: string | null;
}

/**
 * Warns of a login with two holders: they do not see each other's renewals, and
 * each logs the other out.
 */
export async function tellHolders(
  id: AccountId,
  { label, alsoAt }: HolderFacts,
  shell: Shell,
): Promise<void> {
  const name = inert(label);
  if (alsoAt !== null) {
    shell.output.say(
      `warning: the login of ${name} is also in ${alsoAt}: whichever renews it first logs the other out`,
    );
  }
  if (!await isServedByProxy(id, shell)) return;
  shell.output.say(
    `note: the running server uses ${name} too: their use adds up`,
  );
  shell.output.say(
    `  tc disable ${commandWord(name)}   keeps it for Claude Code alone`,
  );
}

/** Returns what keeps Claude Code from using a swapped login in this folder. */
export function swapRivals(shell: Shell): readonly LoginRival[] {
  const helper = helperCommand(ownCommand(["swap", "helper"]), shell.system);
  return loginRivals(
    presentVariables(shell),
    clientSettings(shell, []),
    helper,
  );
}

/** Says that a swap has no effect, and where to take away what outranks it. */
export function tellRivals(rivals: readonly LoginRival[], shell: Shell): void {
  for (const rival of rivals) {
    shell.output.say(
      `warning: the swap has no effect here: Claude Code uses ${rival.uses}, by ${
        inert(rivalText(rival))
      }`,
    );
  }
}

async function isServedByProxy(id: AccountId, shell: Shell): Promise<boolean> {
  try {
    const { accounts } = await shell.client().status();
    return accounts.some((account) => account.id === id && account.enabled);
  } catch {
    // There is no server, or it does not answer: nothing to warn of.
    return false;
  }
}

/** Returns the message and the exit code of one automatic run. */
export function autoWords(
  result: AutoResult,
): { readonly text: string; readonly exitCode: number } {
  switch (result.kind) {
    case "empty":
      return { text: "No accounts yet: tc login", exitCode: EXIT.ok };
    case "logged_out":
      return {
        text: "Claude Code was logged out and stays logged out: tc swap auto",
        exitCode: EXIT.ok,
      };
    case "kept": {
      const name = result.label === null ? "the login" : inert(result.label);
      return {
        text: `Stays with ${name}: ${result.reason}`,
        exitCode: EXIT.ok,
      };
    }
    case "swapped": {
      const from = result.from === null ? "" : `, not ${inert(result.from)}`;
      const text = `Claude Code now has ${inert(result.label)}${from}`;
      return { text, exitCode: EXIT.ok };
    }
    case "keys":
      return {
        text: "Every account is spent: Claude Code now uses API keys",
        exitCode: EXIT.ok,
      };
    case "spent": {
      const wait = result.until === null
        ? ""
        : ` for ${durationText(result.until - systemClock.now())}`;
      return {
        text: `Every account is spent${wait}, and there is no API key`,
        exitCode: EXIT.tryLater,
      };
    }
    case "unknown":
      return {
        text: ["Usage is not available; nothing was changed", ...result.reasons]
          .join("\n  "),
        exitCode: EXIT.unavailable,
      };
  }
}
