/**
 * `tc login`: adds an account, or signs in again. With `--due` it signs in again
 * to every account whose sign-in ends within a week or has ended.
 *
 * @module
 */

import { type Command, Option } from "@commander-js/extra-typings";
import { addKey, readKey } from "../../auth/sign_in/api_key.ts";
import { systemClock } from "../../system/clock.ts";
import { dayText, inert, tierText } from "../../control/words.ts";
import { EXIT, TcError, UsageError } from "../../errors.ts";
import { checkName, type DeskListing } from "../../store/account_desk.ts";
import { idOfSecret } from "../../auth/sign_in/account_id.ts";
import type { Credential } from "../../ports.ts";
import {
  checkFree,
  openDesk,
  takenNames,
  tellServer,
  wantedAccount,
} from "../accounts/account_work.ts";
import { askSecret, readStdin } from "../asking.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import { checkNewKey } from "./provider_client.ts";
import { loginWithBackend } from "./backend_login.ts";
import { type SignedIn, signIn } from "./signing_in.ts";
import { isDead } from "../../lineage.ts";
import { signInOf } from "../../core/account.ts";
import type { Instant } from "../../core/time.ts";
import type { AccountRecord } from "../../store/accounts.ts";
import { commandWord, fromFile } from "../../shell_words.ts";

interface LoginCommandOptions {
  readonly api?: boolean | undefined;
  readonly apiKeyStdin?: boolean | undefined;
  readonly apiKey?: string | undefined;
  readonly browser?: boolean | undefined;
  readonly name?: string | undefined;
  readonly account?: string | undefined;
  readonly due?: boolean | undefined;
  readonly backend?: string | undefined;
  readonly model?: readonly string[] | undefined;
  readonly bearer?: boolean | undefined;
}

const TEXT: CommandText = {
  name: "login",
  group: "accounts",
  summary: "Add an account: a subscription in the browser, or an API key",
  examples: [
    "tc login",
    "tc login --api --name work-key",
    (person) => fromFile(person, "tc login --api --api-key-stdin", "key.txt"),
    "tc login --backend https://api.example.com/anthropic",
  ],
  schema: "tc.login/v1",
};

export function registerLogin(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .option("--api", "Add an API key, asked for without showing it")
    .option("--api-key-stdin", "Read the API key from standard input")
    .addOption(new Option("--api-key <key>").hideHelp())
    .option("--backend <url>", "Add a third party that speaks Anthropic's API")
    .option(
      "--model <name=its-name>",
      "What a backend calls a model; may be repeated",
      (pair: string, all: readonly string[] = []) => [...all, pair],
    )
    .option("--bearer", "Send a backend its key as a bearer token")
    .option("--no-browser", "Sign in elsewhere and paste the code here")
    .option("--name <name>", "Name for the account")
    .option("--account <account>", "Give this account a new login")
    .option("--due", "Renew all sign-ins that end within a week, in turn")
    .option("--json", "Print one JSON object")
    .option("--no-input", "Never ask anything")
    .action(registry.run((options) => {
      const shell = new Shell(registry, options);
      if (options.apiKey !== undefined) throw keyInArguments();
      if (options.backend !== undefined) {
        return loginWithBackend(shell, options, options.backend);
      }
      if (options.model !== undefined || options.bearer === true) {
        throw new UsageError(
          "Cannot use --model or --bearer alone: they are about a backend",
          "tc login --backend URL   adds one",
        );
      }
      if (options.due) return loginDue(shell, options);
      return options.api || options.apiKeyStdin
        ? loginWithKey(shell, options)
        : loginByPage(shell, options);
    }));
}

/**
 * Returns the refusal: a list of processes and the shell's history would show
 * the key.
 */
function keyInArguments(): UsageError {
  return new UsageError(
    "Cannot take a key as an argument: other programs can read arguments",
    (person) =>
      "tc login --api   asks for it\n" +
      `${
        fromFile(person, "tc login --api --api-key-stdin", "FILE")
      }   reads it from a file`,
  );
}

async function loginWithKey(
  shell: Shell,
  { name, account, apiKeyStdin }: LoginCommandOptions,
): Promise<number> {
  if (name !== undefined) checkName(name);
  const { desk, vault } = await openDesk(shell);
  const listing = await desk.list();
  const wanted = wantedAccount(listing, account);
  const known = listing.entries.find(({ id }) => id === wanted?.id);
  if (known?.kind === "subscription") {
    throw new UsageError(
      `Cannot give ${inert(known.label)} a key: it is a subscription`,
      `tc login --account ${commandWord(known.label)}`,
    );
  }
  if (name !== undefined && name !== wanted?.label) checkFree(name, listing);
  const text = apiKeyStdin
    ? await readStdin("the key")
    : await askSecret(shell, "API key");
  // A backend keeps the way in which its key is sent.
  const held = known?.kind === "backend" ? known.credential.kind : null;
  const scheme = held === "bearer" || held === "api_key" ? held : null;
  const credential = readKey(text, scheme);
  if (credential.kind === "oauth") throw new TypeError("A key is not a login");
  if (wanted === null && name !== undefined) {
    await refuseSecondName(credential, name, listing);
  }
  if (scheme === null) await checkNewKey(credential, shell);
  const entry = await addKey(credential, {
    name: name ?? null,
    account: wanted?.id ?? null,
    backend: scheme,
    taken: takenNames(listing),
  }, { vault, clock: systemClock });
  await desk.enlist(entry.id);
  if (name !== undefined && wanted !== null) {
    await desk.change(entry.id, { name });
  }
  const isNew = !listing.entries.some(({ id }) => id === entry.id);
  await tell(shell, { result: isNew ? "added" : "updated", entry });
  return EXIT.ok;
}

/** Throws UsageError if the pool has the key under another name. */
async function refuseSecondName(
  { token }: Exclude<Credential, { readonly kind: "oauth" }>,
  name: string,
  { entries }: Pick<DeskListing, "entries">,
): Promise<void> {
  const id = await idOfSecret(token);
  const known = entries.find((entry) => entry.id === id);
  if (known === undefined || known.label === name) return;
  throw new UsageError(
    `Cannot add ${inert(name)}: the pool has that key already, as ${
      inert(known.label)
    }`,
    `tc rename ${commandWord(known.label)} ${
      commandWord(name)
    }   gives it that name`,
  );
}

async function loginByPage(
  shell: Shell,
  { name, account, browser }: LoginCommandOptions,
): Promise<number> {
  const method = browser === false ? "paste" : "browser";
  await tell(shell, await signIn(shell, { name, account, method }));
  return EXIT.ok;
}

async function tell(
  shell: Shell,
  { result, entry }: SignedIn,
): Promise<void> {
  const { output } = shell;
  const isLive = await tellServer(shell);
  const { id, label, kind, email, tier } = entry;
  if (output.isJson) {
    const account = { id, label, kind, email, tier };
    output.json({ schema: "tc.login/v1", result, account, isLive });
    return;
  }
  const plan = tier === "unknown" ? "" : `, ${tierText(tier)}`;
  output.line(
    `${result === "added" ? "Added" : "Updated"} ${inert(label)}${plan}.`,
  );
  if (!isLive) output.say("tc run   starts Claude Code through the pool");
}

interface DueOptions {
  readonly browser?: boolean | undefined;
  readonly name?: string | undefined;
  readonly account?: string | undefined;
}

interface Due {
  readonly label: string;
  readonly why: string;
}

/** The result for one account. */
interface Row {
  readonly account: string;
  readonly result: "updated" | "failed";
  readonly reason: string | null;
}

/**
 * Signs in to all due accounts, one after another. A failure does not stop the
 * others.
 */
async function loginDue(
  shell: Shell,
  { browser, name, account }: DueOptions,
): Promise<number> {
  if (name !== undefined || account !== undefined) {
    throw new UsageError(
      "Cannot combine --due with --name or --account: it finds the accounts itself",
      "tc login --account NAME   renews one",
    );
  }
  const { output } = shell;
  const due = await dueAccounts(shell);
  const rows: Row[] = [];
  for (const [index, { label, why }] of due.entries()) {
    output.say(`${index + 1} of ${due.length}: ${inert(label)} (${why})`);
    rows.push(
      await renew(label, browser === false ? "paste" : "browser", shell),
    );
  }
  if (rows.some(({ result }) => result === "updated")) await tellServer(shell);
  if (output.isJson) output.json({ schema: "tc.login_due/v1", accounts: rows });
  else if (due.length === 0) output.line("No sign-in ends within a week.");
  return rows.every(({ result }) => result === "updated")
    ? EXIT.ok
    : EXIT.needsLogin;
}

async function renew(
  label: string,
  method: "browser" | "paste",
  shell: Shell,
): Promise<Row> {
  const { output } = shell;
  try {
    await signIn(shell, { name: undefined, account: label, method });
    if (!output.isJson) output.line(`Updated ${inert(label)}.`);
    return { account: label, result: "updated", reason: null };
  } catch (cause) {
    const isCancelled = cause instanceof TcError &&
      cause.exitCode === EXIT.interrupted;
    // Ctrl-C ends the whole run.
    if (!(cause instanceof TcError) || isCancelled) throw cause;
    output.say(cause.message);
    return { account: label, result: "failed", reason: cause.message };
  }
}

/** Returns the due accounts, by the end of their sign-in. */
async function dueAccounts(shell: Shell): Promise<readonly Due[]> {
  const { desk } = await openDesk(shell);
  const { accounts, entries } = await desk.list();
  const now = systemClock.now();
  const dead = new Set(entries.filter(isDead).map(({ id }) => id));
  return accounts
    .filter(({ account }) => account.enabled)
    .toSorted((a, b) => endOf(a) - endOf(b))
    .flatMap((record): readonly Due[] => {
      const { account } = record;
      const why = whyDue(record, dead.has(account.id), now);
      return why === null ? [] : [{ label: account.label, why }];
    });
}

function endOf({ account }: AccountRecord): number {
  return account.signInEndsAt ?? Infinity;
}

function whyDue(
  { account }: AccountRecord,
  isOver: boolean,
  now: Instant,
): string | null {
  const signIn = signInOf(account, now);
  if (signIn.kind === "lasts") return isOver ? "it needs sign-in" : null;
  return `its sign-in ${signIn.kind === "ended" ? "ended" : "ends"} ${
    dayText(signIn.at, now)
  }`;
}
