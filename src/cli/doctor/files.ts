/**
 * Checks files: config, modes, disk, file descriptors.
 *
 * @module
 */

import { retiredText, settingRows } from "../../config/settings.ts";
import { nearest } from "../../core/nearest.ts";
import { dirname, join } from "node:path";
import { type Paths, vaultFolder } from "../../system/paths.ts";
import { systemRunner } from "../../system/command_runner.ts";
import { openFiles } from "../../system/open_files.ts";
import { lostLogin } from "../../records/records.ts";
import { inert } from "../../control/words.ts";
import { databasePath, openDatabase } from "../../store/ledger/database.ts";
import {
  readLabels,
  rememberedAccounts,
} from "../../store/ledger/pool_store.ts";
import { openShellVault } from "../accounts/account_work.ts";
import { readVaultKey } from "../../store/vault/vault_key.ts";
import {
  type DoctorContext,
  failure,
  failureOf,
  type Finding,
  fine,
  warning,
} from "./finding.ts";
import { reasonOf } from "../../errors.ts";
import {
  moreFiles,
  type PersonShell,
  removeFile,
  setFileMode,
  showFile,
} from "../../shell_words.ts";

/** Addresses that cannot be reached from another machine. */
const LOOPBACK = /^(127\.|localhost$|\[?::1\]?$)/;

const OTHERS_WRITE = 0o022;
const OTHERS_ANY = 0o077;
const FREE_KIB_MIN = 100 * 1024;
const FILES_MIN = 1024;

/** Checks the config: syntax, values, unknown keys, and risky settings. */
export function checkConfig(
  { shell }: DoctorContext,
): Promise<readonly Finding[]> {
  try {
    const { file, settings, unknownKeys, retiredKeys } = shell.config;
    const findings = unknownKeys.map((key) =>
      warning(
        "config",
        `${key} is not a setting; it is kept and ignored`,
        didYouMean(key),
      )
    );
    for (const key of retiredKeys) {
      findings.push(warning(
        "config",
        `${retiredText(key)}, and its line has no effect`,
        "Remove the line; tc config show --all   lists the settings",
      ));
    }
    if (settings.proxy.keylessLoopback) {
      findings.push(warning(
        "config",
        "proxy.keylessLoopback lets every user of this machine in",
        "tc config set proxy.keylessLoopback false",
      ));
    }
    if (!LOOPBACK.test(settings.proxy.host)) {
      findings.push(warning(
        "config",
        `proxy.host ${settings.proxy.host} is reached from the network`,
        "tc config set proxy.host 127.0.0.1",
      ));
    }
    if (findings.length === 0) findings.push(fine("config", file));
    return Promise.resolve(findings);
  } catch (cause) {
    return Promise.resolve([failureOf("config", cause, { shell })]);
  }
}

/** Returns what an unknown key of the config was probably meant to be. */
function didYouMean(key: string): string {
  const keys = settingRows().map((row) => row.key);
  const names = key.includes(".")
    ? keys
    : [...new Set(keys.map((name) => name.split(".")[0] ?? ""))];
  const known = nearest(key, names);
  return `${
    known === null ? "" : `Did you mean ${known}? `
  }tc config show --all   lists the settings`;
}

/** Checks the modes of everything that others must not read or write. */
export function checkModes(
  { shell }: DoctorContext,
): Promise<readonly Finding[]> {
  if (shell.system === "windows") return Promise.resolve([]);
  const { paths, person } = shell;
  const findings = [
    modeFinding(paths.configFile, {
      person,
      forbidden: OTHERS_WRITE,
      right: 0o600,
    }),
    modeFinding(paths.secretsFolder, {
      person,
      forbidden: OTHERS_ANY,
      right: 0o700,
    }),
    modeFinding(paths.stateFolder, {
      person,
      forbidden: OTHERS_ANY,
      right: 0o700,
    }),
    ...secretFiles(paths).map((file) =>
      modeFinding(file, { person, forbidden: OTHERS_ANY, right: 0o600 })
    ),
  ].filter((finding) => finding !== null);
  return Promise.resolve(
    findings.length > 0 ? findings : [fine("files", "private to you")],
  );
}

/** Checks the vault's key, and says exactly what it protects against. */
export function checkVaultKey(
  { shell }: DoctorContext,
): Promise<readonly Finding[]> {
  const { vaultKeyFile } = shell.paths;
  try {
    const isThere = readVaultKey(vaultKeyFile) !== null;
    if (!isThere) return Promise.resolve([]);
  } catch (cause) {
    return Promise.resolve([failureOf("vault", cause, { shell })]);
  }
  return Promise.resolve([
    fine(
      "vault",
      `opens with ${vaultKeyFile}: keeps out other users and copies ` +
        "without that file, not root and not programs that run as you",
    ),
  ]);
}

/** Checks the state: damaged databases, and accounts that only it knows. */
export async function checkState(
  { shell }: DoctorContext,
): Promise<readonly Finding[]> {
  const { stateFolder } = shell.paths;
  return [
    ...setAsideIn(stateFolder).map((name) =>
      warning(
        "state",
        `${join(stateFolder, name)} was damaged and is set aside; ` +
          "the history in it is not shown",
        `${
          removeFile(shell.person, join(stateFolder, name))
        }   when you do not need it`,
      )
    ),
    ...await lostLogins(shell),
  ];
}

function setAsideIn(folder: string): readonly string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name)
      .filter((name) => /\.damaged-[^-]+$/.test(name)).sort();
  } catch {
    // There is no state yet.
    return [];
  }
}

async function lostLogins(
  shell: DoctorContext["shell"],
): Promise<readonly Finding[]> {
  const path = databasePath(shell.paths.stateFolder);
  const { vault } = await openShellVault(shell);
  const { entries, damaged } = await vault.list();
  const there = new Set([...entries, ...damaged].map(({ id }) => id));
  try {
    using database = openDatabase(path, "read_only");
    const labels = readLabels(database);
    return rememberedAccounts(database).filter((id) => !there.has(id))
      .map((id) =>
        failure("vault", inert(lostLogin(labels[id] ?? id)), "tc login")
      );
  } catch {
    // There is no history, or another check reports it.
    return [];
  }
}

function secretFiles(paths: Paths): readonly string[] {
  const folder = vaultFolder(paths);
  try {
    const names = [...Deno.readDirSync(folder)].filter(({ isFile }) => isFile);
    return [
      join(paths.secretsFolder, "key"),
      paths.vaultKeyFile,
      ...names.map(({ name }) => join(folder, name)),
    ];
  } catch {
    // There is no vault yet, or its mode denies access and is reported above.
    return [join(paths.secretsFolder, "key")];
  }
}

function modeFinding(
  path: string,
  { forbidden, right, person }: {
    readonly forbidden: number;
    readonly right: number;
    readonly person: PersonShell;
  },
): Finding | null {
  let mode: number;
  try {
    mode = (Deno.statSync(path).mode ?? 0) & 0o777;
  } catch {
    // A missing file has no mode; an unreadable one is reported elsewhere.
    return null;
  }
  if ((mode & forbidden) === 0) return null;
  const octal = right.toString(8);
  return {
    ...failure(
      "files",
      `${path} has mode ${mode.toString(8)}: others can read or change it`,
      setFileMode(person, octal, path),
    ),
    repair: () => Deno.chmodSync(path, right),
  };
}

/** Checks whether both folders can be written and the disk has room. */
export async function checkDisk(
  { shell }: DoctorContext,
): Promise<readonly Finding[]> {
  const { paths } = shell;
  const folders = [dirname(paths.configFile), paths.stateFolder];
  const findings: Finding[] = [];
  for (const folder of new Set(folders)) {
    const trouble = await writeTrouble(folder);
    if (trouble !== null) {
      findings.push(failure(
        "disk",
        `${folder} cannot be written: ${trouble}`,
        `make it a folder of yours: ${showFile(shell.person, folder)}`,
      ));
    }
  }
  const free = await freeKib(dirname(paths.configFile), shell.system);
  if (free !== null && free < FREE_KIB_MIN) {
    const mib = Math.round(free / 1024);
    findings.push(warning("disk", `${mib} MiB are left`, "free some room"));
  }
  return findings.length > 0 ? findings : [fine("disk", "writable, with room")];
}

/**
 * Returns why nothing can be written into `folder`, or null. Leaves no trace.
 */
async function writeTrouble(folder: string): Promise<string | null> {
  const probe = join(folder, `.tc-doctor-${Deno.pid}`);
  try {
    await Deno.writeTextFile(probe, "", { createNew: true, mode: 0o600 });
    await Deno.remove(probe);
    return null;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return null;
    return reasonOf(cause);
  }
}

async function freeKib(
  folder: string,
  system: string,
): Promise<number | null> {
  if (system === "windows") return null;
  const outcome = await systemRunner.run("df", ["-Pk", folder], {
    stdin: "",
    timeoutMs: 2_000,
  });
  if (outcome.kind !== "exited" || outcome.code !== 0) return null;
  const free = outcome.stdout.trim().split("\n").at(-1)?.split(/\s+/)[3];
  return free === undefined || !/^\d+$/.test(free) ? null : Number(free);
}

/** Checks how many files and connections a process may open. */
export async function checkDescriptors(
  { shell }: DoctorContext,
): Promise<readonly Finding[]> {
  const files = await openFiles(shell.system);
  if (files === null) return [];
  if (files >= FILES_MIN) return [fine("limits", `${files} open files`)];
  return [
    warning(
      "limits",
      `${files} open files at most: too few for many sessions`,
      moreFiles(shell.person, FILES_MIN * 4),
    ),
  ];
}
