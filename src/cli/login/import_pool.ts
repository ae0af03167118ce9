/**
 * Takes in the file of `tc export`: accounts into the vault first, then the
 * config, and last the logins leave the file, so that they have one owner and a
 * broken import loses nothing.
 *
 * @module
 */

import { inert } from "../../control/words.ts";
import { EXIT } from "../../errors.ts";
import type { VaultEntry } from "../../ports.ts";
import { systemClock, systemEntropy } from "../../system/clock.ts";
import { type ConfigDocument, editConfig } from "../../store/config_file.ts";
import { writeAtomic } from "../../store/files/atomic.ts";
import { type MovedPool, openPool, sealPool } from "../../store/pool_file.ts";
import { openDesk, tellServer } from "../accounts/account_work.ts";
import { askSecret, readStdin } from "../asking.ts";
import type { Shell } from "../shell.ts";

interface PoolOptions {
  readonly dryRun?: boolean | undefined;
  readonly passphraseStdin?: boolean | undefined;
}

/** Imports the pool in `bytes`, which the file `file` holds. */
export async function importPool(
  shell: Shell,
  { file, bytes }: { readonly file: string; readonly bytes: Uint8Array },
  { dryRun, passphraseStdin }: PoolOptions,
): Promise<number> {
  const { output } = shell;
  const passphrase = passphraseStdin === true
    ? (await readStdin("the passphrase")).replace(/\r?\n$/, "")
    : await askSecret(
      shell,
      `Passphrase of ${file}`,
      "--passphrase-stdin   reads it from standard input",
    );
  const pool = await openPool(bytes, passphrase, file);
  const { desk, vault } = await openDesk(shell);
  const { entries: own } = await vault.list();
  const fresh = pool.entries.filter((entry) => !isKnown(entry, own));
  const known = pool.entries.filter((entry) => !fresh.includes(entry));
  let isNew: boolean | null = null;
  if (dryRun !== true) {
    for (const entry of fresh) await vault.put(entry);
    isNew = await takeConfig(shell, pool.config);
    if (!isNew) {
      for (const entry of fresh) {
        await desk.enlist(entry.id, rowOf(entry, pool.config));
      }
    }
    // An import that was interrupted may have left some of them in the file.
    const taken = pool.entries.filter((entry) =>
      fresh.includes(entry) || own.some(({ id }) => id === entry.id)
    );
    await emptyFile(file, pool, taken, passphrase);
    await tellServer(shell);
  }
  if (output.isJson) {
    output.json({
      schema: "tc.import/v1",
      file,
      imported: dryRun === true ? [] : fresh.map(({ label }) => label),
      known: known.map(({ label }) => label),
      // Null: nothing was done.
      tookSettings: isNew,
    });
    return EXIT.ok;
  }
  for (const entry of fresh) {
    const word = dryRun === true ? "Would import" : "Imported";
    output.line(`${word} ${inert(entry.label)}${kindText(entry)}`);
  }
  for (const { label } of known) {
    output.line(`${inert(label)} is here already and stays as it is`);
  }
  tellSettings(shell, pool.config, isNew);
  const isMoved = fresh.some(({ credential }) => credential.kind === "oauth");
  if (isMoved && dryRun !== true) {
    output.say(`The logins are used here now, and no longer in ${file}.`);
  }
  return EXIT.ok;
}

/**
 * Says whether the settings of the file count here now. A machine that has some
 * keeps its own, and those of the file are named; null: nothing was done.
 */
function tellSettings(
  { output }: Shell,
  config: ConfigDocument,
  isTaken: boolean | null,
): void {
  const names = Object.entries(config)
    .filter(([key]) => key !== "accounts" && key !== "$schema")
    .flatMap(([key, value]) =>
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.keys(value).map((inner) => `${key}.${inner}`)
        : [key]
    );
  if (isTaken === null || names.length === 0) return;
  const list = inert(names.join(", "));
  output.sentence(
    isTaken
      ? `Settings taken: ${list}`
      : `Settings left, for this machine has its own: ${list}`,
    INDENT,
  );
}

/** Cells before what belongs to the line above. */
const INDENT = 2;

/** Whether the account is in the vault already. */
function isKnown(
  { id, identity }: VaultEntry,
  own: readonly VaultEntry[],
): boolean {
  return own.some((entry) =>
    entry.id === id ||
    identity !== null &&
      entry.identity?.accountUuid === identity.accountUuid &&
      entry.identity.organizationUuid === identity.organizationUuid
  );
}

function kindText({ credential }: VaultEntry): string {
  return credential.kind === "oauth" ? ", a login" : ", a key";
}

/**
 * Takes the whole config where there is none yet; returns whether it did. The
 * settings of a machine that has some are its own.
 */
async function takeConfig(
  shell: Shell,
  config: ConfigDocument,
): Promise<boolean> {
  let isNew = false;
  await editConfig(shell.config.file, (document) => {
    isNew = Object.keys(document).every((key) => key === "$schema");
    return isNew ? { ...document, ...config } : document;
  }, { clock: systemClock, entropy: systemEntropy });
  return isNew;
}

/** Returns the settings of the account in the config that came with it. */
function rowOf(
  { id }: VaultEntry,
  { accounts }: ConfigDocument,
): Readonly<Record<string, unknown>> {
  const rows: readonly unknown[] = Array.isArray(accounts) ? accounts : [];
  const row = rows.find((one) =>
    typeof one === "object" && one !== null && "id" in one && one.id === id
  );
  return typeof row === "object" && row !== null ? { ...row } : {};
}

/** Takes the logins that are used here out of the file. */
async function emptyFile(
  file: string,
  { config, entries }: MovedPool,
  taken: readonly VaultEntry[],
  passphrase: string,
): Promise<void> {
  const left = entries.filter((entry) =>
    entry.credential.kind !== "oauth" || !taken.includes(entry)
  );
  if (left.length === entries.length) return;
  await writeAtomic(
    file,
    await sealPool({ config, entries: left }, passphrase),
  );
}
