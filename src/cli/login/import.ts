/**
 * `tc import`.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { importOf, usualImports } from "../../auth/import/import_files.ts";
import {
  importAccount,
  type ImportResult,
} from "../../auth/import/import_account.ts";
import type {
  ImportCandidate,
  ImportReading,
} from "../../auth/import/import_rows.ts";
import { systemClock } from "../../system/clock.ts";
import { inert } from "../../control/words.ts";
import type { AccountId } from "../../core/account.ts";
import { EXIT, TcError, UsageError } from "../../errors.ts";
import { checkName } from "../../store/account_desk.ts";
import {
  openDesk,
  type OpenedDesk,
  takenNames,
  tellServer,
} from "../accounts/account_work.ts";
import { askYes, cancelled } from "../asking.ts";
import { isPoolFile } from "../../store/pool_file.ts";
import { importPool } from "./import_pool.ts";
import { familyOwners, importPlaces } from "./login_stores.ts";
import { type ProviderClient, providerClient } from "./provider_client.ts";
import type { Output } from "../output.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import { quietJournal } from "../swap/swapping.ts";
import { commandWord } from "../../shell_words.ts";

interface ImportOptions {
  readonly from?: string | undefined;
  readonly name?: string | undefined;
  readonly yes?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
  readonly passphraseStdin?: boolean | undefined;
}

/** The result for one account. */
interface Row {
  readonly name: string;
  readonly result: ImportResult["kind"];
  readonly id: string | null;
  readonly tool: string;
  readonly location: string;
  readonly reason: string | null;
  readonly isShared: boolean;
  /** Names of its settings that tc took, and those that it left. */
  readonly settings: readonly string[];
  readonly settingsLeft: readonly string[];
}

const TEXT: CommandText = {
  name: "import",
  group: "accounts",
  summary:
    "Import credentials from Claude Code or another pool tool; nothing is taken away",
  examples: [
    "tc import",
    "tc import --from teamclaude.json --dry-run",
    "tc import pool.age",
  ],
  schema: "tc.import/v1",
};

export function registerImport(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .argument("[file]", "The file of tc export, or as --from")
    .option("--from <path>", "A file or folder; without it the usual places")
    .option("--name <name>", "Name for the account, if only one is imported")
    .option("-y, --yes", "Do not ask")
    .option("--dry-run", "Print what would be done, and do nothing")
    .option("--passphrase-stdin", "Read the passphrase from standard input")
    .option("--json", "Print one JSON object")
    .option("--no-input", "Never ask anything")
    .action(
      registry.run((file, options) => {
        if (file !== undefined && options.from !== undefined) {
          throw new UsageError(
            "Cannot import: give a file or --from, not both",
          );
        }
        const from = file ?? options.from;
        return runImport(new Shell(registry, options), { ...options, from });
      }),
    );
}

async function runImport(
  shell: Shell,
  options: ImportOptions,
): Promise<number> {
  const { name, from, yes, dryRun } = options;
  if (name !== undefined) checkName(name);
  const bytes = from === undefined ? null : await poolBytes(from);
  if (from !== undefined && bytes !== null) {
    return await importPool(shell, { file: from, bytes }, options);
  }
  const places = importPlaces(shell);
  const readings = from === undefined
    ? await usualImports(places)
    : [await importOf(from, places)];
  const count = readings.reduce(
    (sum, { candidates }) => sum + candidates.length,
    0,
  );
  tellSkipped(shell, readings);
  if (count === 0) throw nothingFound(from);
  if (name !== undefined && count > 1) {
    throw new UsageError(
      `Cannot give ${count} accounts one name`,
      "tc import   without --name keeps the names that they have",
    );
  }
  if (!dryRun && !yes) await confirm(shell, readings, count);
  const rows = await takeOver(shell, readings, options);
  const isLive = dryRun ? false : await tellServer(shell);
  const left = readings.flatMap((reading) =>
    // tc's own file is where its settings are.
    reading.location === shell.config.file
      ? []
      : reading.left.map((name) => ({ name, location: reading.location }))
  );
  print(shell, rows, { isDryRun: dryRun ?? false, isLive, left });
  return rows.every(({ result }) => result === "refused")
    ? EXIT.badData
    : EXIT.ok;
}

/** Returns the bytes of a file of `tc export`; null if it is another one. */
async function poolBytes(path: string): Promise<Uint8Array | null> {
  const bytes = await Deno.readFile(path).catch(() => null);
  return bytes !== null && isPoolFile(bytes) ? bytes : null;
}

async function takeOver(
  shell: Shell,
  readings: readonly ImportReading[],
  options: ImportOptions,
): Promise<readonly Row[]> {
  const opened = await openDesk(shell);
  using provider = providerClient(shell);
  const rows: Row[] = [];
  for (const reading of readings) {
    const isOwn = reading.location === shell.config.file;
    const ids = new Set<AccountId>();
    for (const candidate of reading.candidates) {
      // Tokens from tc's own config are not shared with another program.
      const ours = isOwn ? { ...candidate, sharedWith: null } : candidate;
      const result = await one(ours, options, { ...opened, provider, shell });
      if (result.kind !== "refused") ids.add(result.entry.id);
      rows.push(rowOf(candidate, result, reading));
    }
    if (isOwn && !options.dryRun) await opened.desk.dropSecrets(ids);
  }
  return rows;
}

async function one(
  candidate: ImportCandidate,
  { name, dryRun }: ImportOptions,
  { vault, locks, desk, provider, shell }: OpenedDesk & {
    readonly provider: ProviderClient;
    readonly shell: Shell;
  },
): Promise<ImportResult> {
  const result = await importAccount(candidate, name ?? null, {
    vault,
    client: provider.client,
    provider: provider.provider,
    clock: systemClock,
    locks,
    journal: quietJournal(shell),
    owners: familyOwners(shell),
    taken: takenNames(await desk.list()),
    isDryRun: dryRun ?? false,
  });
  if (dryRun) return result;
  if (result.kind === "added") {
    await desk.enlist(result.entry.id, settingsOf(candidate));
  } else if (result.kind !== "refused") await desk.enlist(result.entry.id);
  return result;
}

/** Returns the tool's settings of an account as keys of tc's config. */
function settingsOf(
  { settings }: ImportCandidate,
): Readonly<Record<string, unknown>> {
  const { priority, enabled, capUtilization, upstream, modelMap } = settings;
  return {
    ...priority === null ? {} : { priority },
    ...enabled ? {} : { enabled: false },
    ...capUtilization === null ? {} : { capUtilization },
    ...upstream === null ? {} : { upstream },
    ...modelMap === null ? {} : { modelMap },
  };
}

function rowOf(
  candidate: ImportCandidate,
  result: ImportResult,
  { tool, location }: ImportReading,
): Row {
  const stated = Object.keys(settingsOf(candidate));
  // An account that the pool has keeps its own settings.
  const isTaken = result.kind === "added";
  const base = {
    result: result.kind,
    tool,
    location,
    settings: isTaken ? stated : [],
    settingsLeft: isTaken ? [] : stated,
  };
  if (result.kind === "refused") {
    const name = candidate.name ?? candidate.email ?? "login";
    const { reason } = result;
    return { ...base, name, id: null, reason, isShared: false };
  }
  const { label, id, sharedWith } = result.entry;
  const isShared = sharedWith !== null;
  return { ...base, name: label, id, reason: null, isShared };
}

async function confirm(
  shell: Shell,
  readings: readonly ImportReading[],
  count: number,
): Promise<void> {
  for (const { tool, location, candidates } of readings) {
    if (candidates.length === 0) continue;
    const names = candidates.map(({ name, email }) => name ?? email ?? "login");
    shell.output.say(`${tool}: ${inert(location)}`);
    for (const name of names) shell.output.say(`  ${inert(name)}`);
  }
  const accounts = count === 1 ? "1 account" : `${count} accounts`;
  if (!await askYes(shell, `Import ${accounts}?`, "tc import --yes")) {
    throw cancelled();
  }
}

function tellSkipped(shell: Shell, readings: readonly ImportReading[]): void {
  for (const { location, skipped } of readings) {
    for (const { name, reason } of skipped) {
      shell.output.say(`${inert(name)} in ${inert(location)}: ${reason}`);
    }
  }
}

const WORDS: Readonly<Record<ImportResult["kind"], string>> = {
  added: "added",
  updated: "updated",
  unchanged: "already there",
  kept: "kept: its present login is better",
  refused: "refused",
};

function print(
  { output }: Shell,
  rows: readonly Row[],
  { isDryRun, isLive, left }: {
    readonly isDryRun: boolean;
    readonly isLive: boolean;
    readonly left: readonly Left[];
  },
): void {
  if (output.isJson) {
    output.json({
      schema: "tc.import/v1",
      isDryRun,
      isLive,
      accounts: rows,
      settingsLeft: left,
    });
  } else {
    for (const { name, result, reason } of rows) {
      const would = isDryRun && result !== "refused" ? "would be " : "";
      const why = reason === null ? "" : `: ${reason}`;
      output.line(`${inert(name)}  ${would}${WORDS[result]}${why}`);
    }
    tellSettings(output, rows, { isDryRun, left });
  }
  tellShared(output, rows);
}

/** A setting that stays in another program's file. */
interface Left {
  readonly name: string;
  readonly location: string;
}

/** Says which settings of the other program tc took, and which it left. */
function tellSettings(
  output: Output,
  rows: readonly Row[],
  { isDryRun, left }: {
    readonly isDryRun: boolean;
    readonly left: readonly Left[];
  },
): void {
  const taken = rows.flatMap(({ name, settings }) =>
    settings.map((one) => `${one} of ${name}`)
  );
  if (taken.length > 0) {
    const word = isDryRun ? "Settings it would take" : "Settings taken";
    output.sentence(`${word}: ${inert(taken.join(", "))}`, INDENT);
  }
  const others = [
    ...left.map(({ name }) => name),
    ...rows.flatMap(({ name, settingsLeft }) =>
      settingsLeft.map((one) => `${one} of ${name}`)
    ),
  ];
  if (others.length === 0) return;
  output.sentence(`Settings left: ${inert(others.join(", "))}`, INDENT);
  output.line("  tc config   shows tc's own");
}

/** Cells before what belongs to the line above. */
const INDENT = 2;

/** Says what to know about logins that another program still uses. */
function tellShared(output: Output, rows: readonly Row[]): void {
  const shared = rows.filter(({ isShared, result }) =>
    isShared && result !== "unchanged"
  );
  if (shared.some(({ tool }) => tool === "claude_code")) {
    output.say(
      "Claude Code keeps its login; it and tc share every renewal.",
    );
  }
  const others = shared.filter(({ tool }) => tool !== "claude_code");
  if (others.length === 0) return;
  const tools = [...new Set(others.map(({ tool }) => tool))].join(", ");
  output.say(
    `${tools} does not see renewals: while it runs beside tc, one of the two`,
  );
  output.say("loses the login. Stop it, or give tc separate logins:");
  for (const name of new Set(others.map(({ name }) => name))) {
    output.say(`  tc login --account ${commandWord(name)}`);
  }
}

function nothingFound(from: string | undefined): TcError {
  const where = from === undefined ? "in the usual places" : `in ${from}`;
  return new TcError(`Cannot import: there is no account ${where}`, {
    code: "nothing_to_import",
    source: "user",
    exitCode: EXIT.badData,
    hint: "tc login         a Claude subscription, in your browser\n" +
      "tc import --from PATH   another place",
  });
}
