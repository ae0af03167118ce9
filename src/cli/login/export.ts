/**
 * `tc export`: the pool in one encrypted file, for another machine. Logins move,
 * because a login that two machines renew is lost; keys and settings are copied.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { inert } from "../../control/words.ts";
import { EXIT, TcError, UsageError } from "../../errors.ts";
import { isDead } from "../../lineage.ts";
import type { VaultEntry } from "../../ports.ts";
import { commandWord } from "../../shell_words.ts";
import { readConfig } from "../../store/config_file.ts";
import { writeAtomic } from "../../store/files/atomic.ts";
import { openPool, sealPool } from "../../store/pool_file.ts";
import {
  isNotRunning,
  openDesk,
  removeHere,
  storedAccounts,
} from "../accounts/account_work.ts";
import { askSecret, askYes, cancelled, readStdin } from "../asking.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";

interface ExportOptions {
  readonly logins?: boolean;
  readonly passphraseStdin?: boolean | undefined;
  readonly yes?: boolean | undefined;
}

const TEXT: CommandText = {
  name: "export",
  group: "accounts",
  summary: "Move the pool into one encrypted file, for another machine",
  examples: [
    "tc export pool.age",
    "tc export keys.age --no-logins",
  ],
  schema: "tc.export/v1",
};

export function registerExport(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .argument("<file>", "A new file, in the age format")
    .option("--no-logins", "Only API keys and settings; every login stays")
    .option("--passphrase-stdin", "Read the passphrase from standard input")
    .option("-y, --yes", "Do not ask")
    .option("--json", "Print one JSON object")
    .option("--no-input", "Never ask anything")
    .action(
      registry.run((file, options) =>
        exportPool(new Shell(registry, options), file, options)
      ),
    );
}

/** What happens to each account. */
interface Plan {
  /** Logins that leave this machine. */
  readonly moved: readonly VaultEntry[];
  /** Keys and tokens that are not renewed. */
  readonly copied: readonly VaultEntry[];
  readonly kept: readonly {
    readonly entry: VaultEntry;
    readonly why: string;
  }[];
}

async function exportPool(
  shell: Shell,
  file: string,
  options: ExportOptions,
): Promise<number> {
  const { output } = shell;
  await refuseExisting(file);
  const { desk, vault } = await openDesk(shell);
  const entries = await named(shell, (await vault.list()).entries);
  const plan = planOf(entries, options.logins ?? true);
  // A running server could renew a login while it is being written.
  if (plan.moved.length > 0) await refuseRunning(shell);
  const config = await readConfig(shell.config.file) ?? {};
  for (const { entry, why } of plan.kept) {
    output.say(`${inert(entry.label)} stays: ${why}`);
  }
  if (options.yes !== true && plan.moved.length > 0) {
    const question = `Move ${names(plan.moved)} out of this machine?`;
    const again = `tc export ${commandWord(file)} --yes`;
    if (!await askYes(shell, question, again)) throw cancelled();
  }
  const passphrase = await newPassphrase(shell, options);
  const pool = { config, entries: [...plan.moved, ...plan.copied] };
  await writeAtomic(file, await sealPool(pool, passphrase));
  // Nothing leaves the vault before the file was read back.
  const written = await Deno.readFile(file);
  const { entries: there } = await openPool(written, passphrase, file);
  if (there.length !== pool.entries.length) {
    throw new TcError(`Cannot export: ${file} lacks an account`, {
      code: "incomplete_export",
      exitCode: EXIT.cannotWrite,
    });
  }
  for (const { id } of plan.moved) await removeHere(shell, desk, id);
  tell(shell, file, plan);
  return EXIT.ok;
}

/**
 * Returns the entries under the names that the accounts have by now: an entry
 * keeps the name that its login had.
 */
async function named(
  shell: Shell,
  entries: readonly VaultEntry[],
): Promise<readonly VaultEntry[]> {
  const { accounts } = await storedAccounts(shell);
  const labels = new Map(
    accounts.map(({ account }) =>
      [account.id as string, account.label] as const
    ),
  );
  return entries.map((entry) => ({
    ...entry,
    label: labels.get(entry.id) ?? entry.label,
  }));
}

async function refuseExisting(file: string): Promise<void> {
  const isThere = await Deno.lstat(file).then(() => true, () => false);
  if (!isThere) return;
  throw new UsageError(
    `Cannot export to ${file}: it exists already`,
    "Choose a new name; an older export may hold logins",
  );
}

async function refuseRunning(shell: Shell): Promise<void> {
  try {
    await shell.client().health();
  } catch (cause) {
    if (isNotRunning(cause)) return;
    throw cause;
  }
  throw new TcError("Cannot export: the running server uses the logins", {
    code: "server_running",
    source: "user",
    exitCode: EXIT.alreadyRunning,
    hint: "tc stop   and then tc export again\n" +
      "--no-logins   exports keys and settings while it runs",
  });
}

function planOf(entries: readonly VaultEntry[], withLogins: boolean): Plan {
  const moved: VaultEntry[] = [];
  const copied: VaultEntry[] = [];
  const kept: { entry: VaultEntry; why: string }[] = [];
  for (const entry of entries) {
    if (entry.credential.kind !== "oauth") copied.push(entry);
    else if (!withLogins) kept.push({ entry, why: "logins are left out" });
    else if (entry.sharedWith !== null) {
      const why = `${entry.sharedWith.tool.replaceAll("_", " ")} uses the ` +
        "same login; sign in on the other machine";
      kept.push({ entry, why });
    } else if (isDead(entry)) {
      kept.push({ entry, why: "its login is no longer accepted" });
    } else moved.push(entry);
  }
  return { moved, copied, kept };
}

function names(entries: readonly VaultEntry[]): string {
  return entries.map(({ label }) => inert(label)).join(", ");
}

/** A shorter one is guessed too soon by who has the file. */
const PASSPHRASE_MIN = 10;

async function newPassphrase(
  shell: Shell,
  { passphraseStdin }: ExportOptions,
): Promise<string> {
  const hint = "--passphrase-stdin   reads it from standard input";
  const text = passphraseStdin === true
    ? (await readStdin("the passphrase")).replace(/\r?\n$/, "")
    : await askSecret(shell, "New passphrase for the file", hint);
  if (text.length < PASSPHRASE_MIN) {
    throw new UsageError(
      `Cannot use the passphrase: it must have ${PASSPHRASE_MIN} characters or more`,
      "The file holds logins and keys",
    );
  }
  if (passphraseStdin === true) return text;
  if (await askSecret(shell, "The same passphrase again", hint) === text) {
    return text;
  }
  throw new UsageError("The two passphrases differ; nothing was written");
}

function tell(shell: Shell, file: string, { moved, copied }: Plan): void {
  const { output } = shell;
  if (output.isJson) {
    output.json({
      schema: TEXT.schema,
      file,
      moved: moved.map(({ label }) => label),
      copied: copied.map(({ label }) => label),
    });
    return;
  }
  if (moved.length > 0) {
    output.line(`Moved into ${file}: ${names(moved)}`);
    output.line("These logins no longer work here; import the file once.");
  }
  const rest = copied.length === 0 ? "" : `${names(copied)} and `;
  output.line(`Copied: ${rest}the settings`);
  output.say(`On the other machine: tc import ${commandWord(file)}`);
}
