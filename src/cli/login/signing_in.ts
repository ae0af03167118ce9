/**
 * Signs a subscription in from a command: the risk notice, the page in a browser,
 * the code that comes back, and a message for every way it may end.
 *
 * @module
 */

import {
  loginExitCode,
  type LoginResult,
} from "../../auth/sign_in/login_result.ts";
import { join } from "node:path";
import { systemClock, systemEntropy } from "../../system/clock.ts";
import {
  login,
  type LoginPorts,
  type WrongPaste,
} from "../../auth/sign_in/login.ts";
import { inert } from "../../control/words.ts";
import { EXIT, LoginError, TcError, UsageError } from "../../errors.ts";
import type { VaultEntry } from "../../ports.ts";
import { checkName, type DeskListing } from "../../store/account_desk.ts";
import {
  checkFree,
  openDesk,
  takenNames,
  wantedAccount,
} from "../accounts/account_work.ts";
import { LineInput } from "../asking.ts";
import { providerClient } from "./provider_client.ts";
import type { Shell } from "../shell.ts";
import { browserCommand, openInBrowser } from "../open_browser.ts";
import { commandWord, fromFile } from "../../shell_words.ts";

interface SignInOptions {
  readonly name: string | undefined;
  readonly account: string | undefined;
  /** `paste`: the user opens the page elsewhere and pastes its code. */
  readonly method: "browser" | "paste";
}

export interface SignedIn {
  readonly result: "added" | "updated";
  readonly entry: VaultEntry;
}

const NOTICE = [
  "Before the first subscription: pooling Claude subscriptions is contested",
  "under Anthropic's terms, and an account can be limited or lost over it.",
  "API keys are the sanctioned way for tools: tc login --api",
  "Use accounts of your own only. You decide.",
];
const NOTICE_FILE = "risk-notice-shown";

/** Signs one account in. Throws LoginError if it does not succeed. */
export async function signIn(
  shell: Shell,
  { name, account, method }: SignInOptions,
): Promise<SignedIn> {
  // Whoever sets BROWSER has a way to show the page without a terminal.
  const isAlone = method === "browser" && !shell.mayAsk &&
    !shell.environment["BROWSER"];
  if (shell.mustNotAsk || isAlone) {
    const why = shell.mustNotAsk ? "with --no-input" : "without a terminal";
    throw new TcError(`Cannot sign in ${why}: it needs a person`, {
      code: "no_person",
      source: "user",
      exitCode: EXIT.needsLogin,
      hint: (person) =>
        "tc login   in a terminal\n" +
        `${
          fromFile(person, "tc login --api --api-key-stdin", "FILE")
        }   adds an API key without one`,
    });
  }
  if (name !== undefined) checkName(name);
  const { desk, vault } = await openDesk(shell);
  const listing = await desk.list();
  const wanted = wantedAccount(listing, account);
  if (name !== undefined && name !== wanted?.label) checkFree(name, listing);
  const entry = listing.entries.find(({ id }) => id === wanted?.id) ?? null;
  if (entry !== null) checkKind(entry);
  await tellRisk(shell, listing);
  using provider = providerClient(shell);
  using interrupt = new Interrupt();
  using lines = new LineInput();
  const result = await login(
    {
      method,
      account: wanted?.id ?? null,
      name: name ?? null,
      loginHint: entry?.email ?? null,
      taken: takenNames(listing),
    },
    {
      provider: provider.provider,
      client: provider.client,
      vault,
      clock: systemClock,
      entropy: systemEntropy,
      ...personOf(shell, method, lines),
    },
    interrupt.signal,
  );
  if (!isSignedIn(result)) {
    throw endOf(result, wanted?.label ?? null);
  }
  await desk.enlist(result.entry.id);
  const { kind, entry: signedIn } = result;
  if (kind === "updated" && name !== undefined && signedIn.label !== name) {
    // A sign-in identifies the account, but does not rename it.
    shell.output.say(
      `This is ${inert(signedIn.label)}, and keeps its name:`,
    );
    shell.output.say(
      `  tc rename ${commandWord(signedIn.label)} ${commandWord(name)}`,
    );
  }
  return { result: kind, entry: signedIn };
}

type GoodEnd = Extract<LoginResult, { readonly entry: VaultEntry }>;
type OtherEnd = Exclude<LoginResult, GoodEnd>;

function isSignedIn(result: LoginResult): result is GoodEnd {
  return result.kind === "added" || result.kind === "updated";
}

/** Returns what the sign-in shows to the user, and how it asks. */
function personOf(
  shell: Shell,
  method: SignInOptions["method"],
  lines: LineInput,
): Pick<LoginPorts, "openBrowser" | "show" | "paste"> {
  const { output } = shell;
  const command = method === "paste"
    ? null
    : browserCommand(shell.environment, shell.system);
  const mayPaste = method === "paste" || shell.mayAsk;
  return {
    openBrowser: command === null ? null : (url) => openInBrowser(url, command),
    show: ({ url, isOpened }) => {
      output.say(
        isOpened
          ? "Your browser shows the sign-in. If not, open this page:"
          : "Open this page and sign in:",
      );
      output.say(`\n${url.href}\n`);
      if (mayPaste) {
        output.say("If the page shows a code, or fails to load,");
        output.say("paste the code or its address here:");
      }
    },
    paste: mayPaste ? asksAgain(lines, shell) : null,
  };
}

const WRONG_PASTES: Readonly<Record<WrongPaste, string>> = {
  no_code:
    "That is not a code. Copy the whole code that the page shows, and paste it here:",
  other_sign_in:
    "That code is from another sign-in. Open the page above again, and paste its code here:",
  unknown_code:
    "The provider does not know that code. Copy the whole code, and paste it here:",
};

/** Reads what is pasted, and says what was wrong with the last paste. */
function asksAgain(
  lines: LineInput,
  { output }: Shell,
): NonNullable<LoginPorts["paste"]> {
  return (wrong, signal) => {
    if (wrong !== null) output.say(WRONG_PASTES[wrong]);
    return lines.next(signal);
  };
}

/** Throws UsageError for an account with an API key: it has no login. */
function checkKind({ kind, label }: VaultEntry): void {
  if (kind === "subscription" || kind === "setup_token") return;
  throw new UsageError(
    `Cannot sign ${inert(label)} in: the account uses an API key`,
    `tc login --api --account ${commandWord(label)}`,
  );
}

/** Prints the risk notice once, before the first subscription. */
async function tellRisk(
  { output, paths }: Shell,
  { entries }: DeskListing,
): Promise<void> {
  if (entries.some(({ kind }) => kind === "subscription")) return;
  const file = join(paths.stateFolder, NOTICE_FILE);
  const wasShown = await Deno.stat(file).then(() => true, () => false);
  if (wasShown) return;
  for (const line of NOTICE) output.say(line);
  output.say("");
  await Deno.mkdir(paths.stateFolder, { recursive: true, mode: 0o700 });
  await Deno.writeTextFile(file, "", { mode: 0o600 });
}

function endOf(
  result: OtherEnd,
  label: string | null,
): LoginError {
  const again = label === null
    ? "tc login"
    : `tc login --account ${commandWord(label)}`;
  const { reason, hint } = wordsOf(result, again);
  return new LoginError(`Cannot log in: ${reason}`, {
    code: `login_${result.kind}`,
    source: "user",
    exitCode: loginExitCode(result),
    hint,
  });
}

function wordsOf(
  result: OtherEnd,
  again: string,
): { readonly reason: string; readonly hint: string } {
  switch (result.kind) {
    case "cancelled":
      return { reason: "it was cancelled", hint: again };
    case "timeout":
      return { reason: "nobody signed in within 10 minutes", hint: again };
    case "denied":
      return { reason: `it was declined: ${result.reason}`, hint: again };
    case "exchange_failed":
      return { reason: result.reason, hint: again };
    case "other_identity":
      return {
        reason: `${inert(result.found)} signed in instead of ${
          inert(result.expected)
        }`,
        hint: "tc login   adds it as a separate account",
      };
    case "not_saved":
      return { reason: result.reason, hint: again };
  }
}

/** Ctrl-C cancels the sign-in and leaves nothing open. */
class Interrupt implements Disposable {
  readonly #controller = new AbortController();
  readonly #abort = (): void => this.#controller.abort();

  constructor() {
    Deno.addSignalListener("SIGINT", this.#abort);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    Deno.removeSignalListener("SIGINT", this.#abort);
  }
}
