/**
 * `tc store join`: checks the database, says what will be done, and does it. The
 * note that this machine is part of the pool is on its disk before an account
 * leaves it, so an interrupted join goes on by itself.
 *
 * @module
 */

import { hostname } from "node:os";
import { inert } from "../../control/words.ts";
import { EXIT, TcError } from "../../errors.ts";
import type { VaultEntry } from "../../ports.ts";
import { ConfigAccountList } from "../../store/account_list.ts";
import {
  exposure,
  storeAddress,
  withoutAuthority,
} from "../../store/shared/address.ts";
import {
  enter,
  freeName,
  type Machine,
  machinesOf,
} from "../../store/shared/machines.ts";
import {
  type Membership,
  membershipFile,
  removeMembership,
  writeMembership,
} from "../../store/shared/membership.ts";
import type { SharedPool } from "../../store/shared/open_shared.ts";
import { ownReason } from "../../store/shared/shared_vault.ts";
import { markPool, poolMark, storeVersion } from "../../store/shared/schema.ts";
import {
  type Invitation,
  isInvitation,
  newPoolKey,
  PoolSeal,
  readInvitation,
} from "../../store/shared/pool_seal.ts";
import { certificatesIn } from "../../system/authorities.ts";
import { systemClock, systemEntropy } from "../../system/clock.ts";
import { machineSecret } from "../../system/machine.ts";
import { buildInfo } from "../../release/version.ts";
import { openAccounts } from "../../server/open_accounts.ts";
import { systemRunner } from "../../system/command_runner.ts";
import { askSecret, askYes, cancelled, readStdin } from "../asking.ts";
import type { Shell } from "../shell.ts";
import {
  counted,
  labelsOf,
  refuseServer,
  shownLabels,
} from "./membership_work.ts";

interface JoinOptions {
  readonly name?: string | undefined;
  readonly stdin?: boolean | undefined;
  readonly move?: boolean;
  readonly yes?: boolean | undefined;
}

/** What is to be joined: an address alone begins a pool. */
type Target =
  | Invitation
  | Pick<Invitation, "url" | "authority"> & { readonly poolKey: null };

export async function join(
  shell: Shell,
  address: string | undefined,
  options: JoinOptions,
): Promise<number> {
  await refuseMember(shell);
  await refuseServer(shell, "join");
  const target = await targetOf(shell, address, options);
  const membership: Membership = {
    url: target.url,
    poolKey: target.poolKey ?? newPoolKey(systemEntropy),
    machine: systemEntropy.uuid(),
    name: (options.name ?? hostName()).trim() || "machine",
    authority: target.authority,
  };
  const { shared, own } = await openPool(shell, membership);
  try {
    const isNew = await checkPool(shared, target);
    const { entries } = await own.list();
    const plan = planOf(entries, options.move ?? true);
    tellPlan(shell, shared, {
      plan,
      machines: isNew ? null : await machinesOf(shared.database),
      labels: await shownLabels(entries, ownList(shell)),
    });
    if (
      options.yes !== true &&
      !await askYes(shell, "Join with this machine?", "The same with --yes")
    ) throw cancelled();
    await becomeMember(shell, shared, isNew);
    const { version } = buildInfo();
    const name = await enter(shared.database, membership, version);
    await moveIn(shell, shared, plan.moved);
    return await tellJoined(shell, shared, { isNew, name });
  } finally {
    await shared.close().catch(() => {});
  }
}

/**
 * Notes that this machine is part of the pool, and makes the pool if it is new.
 * The note comes first: a pool whose key is on no disk could never be opened.
 */
async function becomeMember(
  { paths, system }: Shell,
  { database, membership }: SharedPool,
  isNew: boolean,
): Promise<void> {
  const file = membershipFile(paths.secretsFolder);
  const secret = await machineSecret(paths, system);
  await writeMembership(file, membership, { secret, entropy: systemEntropy });
  if (!isNew) return;
  try {
    const seal = new PoolSeal(membership.poolKey, systemEntropy);
    await markPool(database, await seal.mark());
  } catch (cause) {
    await removeMembership(file);
    throw cause;
  }
}

/** Where the system does not tell it, it is read where it stands. */
function hostName(): string {
  try {
    return hostname();
  } catch {
    return readHostName();
  }
}

function readHostName(): string {
  try {
    return Deno.readTextFileSync("/etc/hostname");
  } catch {
    // Not every system has that file; --name says it.
    return "";
  }
}

async function refuseMember(shell: Shell): Promise<void> {
  const membership = await shell.membership();
  if (membership === null) return;
  throw new TcError("This machine is part of a shared pool already", {
    code: "joined_already",
    source: "user",
    exitCode: EXIT.usage,
    hint: "tc store status   shows it\ntc store leave   takes it out",
  });
}

async function targetOf(
  shell: Shell,
  address: string | undefined,
  { stdin }: JoinOptions,
): Promise<Target> {
  const { url } = shell.config.settings.store;
  const given = stdin === true
    ? (await readStdin("the address")).trim()
    : address ?? (url === "" ? null : url);
  const text = given ??
    (await askSecret(
      shell,
      "Invitation (tc store invite prints it), or the database's address",
      "tc store join --stdin   reads it from standard input",
    )).trim();
  if (isInvitation(text)) return readInvitation(text);
  // Checked here, so that a wrong one is refused before anything is asked.
  const { authorityFile } = storeAddress(text);
  if (authorityFile === null) {
    return { url: text, poolKey: null, authority: "" };
  }
  return {
    url: withoutAuthority(text),
    poolKey: null,
    authority: authorityIn(authorityFile),
  };
}

/** Returns the certificates in a file. Throws TcError if there are none. */
function authorityIn(file: string): string {
  const { certificates, trouble } = certificatesIn(file);
  if (trouble === null) return certificates.join("\n");
  throw new TcError(
    `Cannot use sslrootcert ${inert(file)}: ${trouble}`,
    {
      code: "bad_store_url",
      source: "user",
      exitCode: EXIT.usage,
      hint: "It names a file with the authority's certificate, in PEM",
    },
  );
}

/** Opens the pool as `membership` says, and this machine's own vault. */
async function openPool(shell: Shell, membership: Membership) {
  const secret = await machineSecret(shell.paths, shell.system);
  const options = {
    paths: shell.paths,
    config: shell.config,
    secret,
    authorities: shell.authorities.pem,
    mayPrompt: shell.mayAsk,
    system: shell.system,
    runner: systemRunner,
    journal: null,
    connections: 1,
  };
  const { vault: own } = await openAccounts({ ...options, membership: null });
  const { shared } = await openAccounts({ ...options, membership });
  if (shared === null) throw new TypeError("no shared pool");
  return { shared, own };
}

/**
 * Returns whether the pool is to be made. Throws TcError if the database is
 * away, holds a pool whose key is not known here, or is a newer tc's.
 */
async function checkPool(
  { database }: SharedPool,
  target: Target,
): Promise<boolean> {
  const version = await storeVersion(database);
  const mark = version === 0 ? null : await poolMark(database);
  if (mark === null) {
    if (target.poolKey === null) return true;
    throw refused(
      "the invitation's pool is not there any more",
      "tc store join postgres://…   begins a new one",
    );
  }
  if (target.poolKey === null) {
    throw refused(
      "the database holds a pool already, and its key is on its machines",
      "tc store invite   prints the invitation, on one of them",
    );
  }
  const seal = new PoolSeal(target.poolKey, systemEntropy);
  if (await seal.isOurs(mark)) return false;
  throw refused(
    "the invitation is one to another pool",
    "tc store invite   prints this pool's, on one of its machines",
  );
}

function refused(reason: string, hint: string): TcError {
  return new TcError(`Cannot join: ${reason}`, {
    code: "cannot_join",
    source: "user",
    exitCode: EXIT.usage,
    hint,
  });
}

interface Plan {
  readonly moved: readonly VaultEntry[];
  /** Accounts that stay this machine's own, each with the reason. */
  readonly kept: readonly {
    readonly entry: VaultEntry;
    readonly why: string;
  }[];
}

function planOf(entries: readonly VaultEntry[], isMoving: boolean): Plan {
  const moved: VaultEntry[] = [];
  const kept: Plan["kept"][number][] = [];
  for (const entry of entries) {
    const why = isMoving ? ownReason(entry) : "you said --no-move";
    if (why === null) moved.push(entry);
    else kept.push({ entry, why });
  }
  return { moved, kept };
}

/** Says what will be done; `machines` is null for a pool that is new. */
function tellPlan(
  { output }: Shell,
  { database, membership }: SharedPool,
  { plan, machines, labels }: {
    readonly plan: Plan;
    readonly machines: readonly Machine[] | null;
    readonly labels: ReadonlyMap<string, string>;
  },
): void {
  const labelOf = ({ id, label }: VaultEntry) => inert(labels.get(id) ?? label);
  output.say(
    machines === null
      ? `Makes a pool in ${database.place}: tables in the schema tc.`
      : `Joins the pool in ${database.place}, which has ${
        counted(machines.length, "machine")
      }.`,
  );
  const name = freeName(membership.name, machines ?? []);
  const exposed = exposure(storeAddress(membership.url));
  if (exposed !== null) output.say(exposed);
  if (name !== membership.name) {
    output.say(
      `${inert(membership.name)} is taken: this machine is called ${
        inert(name)
      } in the pool. --name gives it another name.`,
    );
  }
  output.say(
    plan.moved.length === 0
      ? "Moves no account in."
      : `Moves in, encrypted: ${plan.moved.map(labelOf).join(", ")}`,
  );
  for (const { entry, why } of plan.kept) {
    output.say(`${labelOf(entry)} stays this machine's own: ${why}`);
  }
  output.say(
    "Share it between your own machines only: accounts are for one person.",
  );
}

async function moveIn(
  shell: Shell,
  shared: SharedPool,
  moved: readonly VaultEntry[],
): Promise<void> {
  for (const { id } of moved) await shared.vault.offer(id);
  await shared.vault.exchange();
  // A person's settings for these accounts go with them.
  const { accounts } = await ownList(shell).read();
  if (Array.isArray(accounts)) {
    const ids = new Set<unknown>(moved.map(({ id }) => id));
    const rows = accounts.filter((row) => ids.has(row?.id));
    await shared.settings.adopt(rows);
  }
  await shared.settings.exchange();
}

/** The accounts in this machine's config. */
function ownList({ config }: Shell): ConfigAccountList {
  return new ConfigAccountList(config.file, {
    clock: systemClock,
    entropy: systemEntropy,
  });
}

async function tellJoined(
  { output }: Shell,
  shared: SharedPool,
  { isNew, name }: { readonly isNew: boolean; readonly name: string },
): Promise<number> {
  const { place } = shared.database;
  // Two machines may have used one name for two accounts.
  const labels = await labelsOf(shared);
  const names = [...labels.values()].map((label) => inert(label));
  if (output.isJson) {
    output.json({
      schema: "tc.store_join/v1",
      place,
      machine: name,
      isNew,
      accounts: [...labels].map(([id, label]) => ({ id, label })),
    });
    return EXIT.ok;
  }
  output.line(
    `Joined ${place} as ${inert(name)}: ${
      names.length === 0 ? "no accounts" : names.join(", ")
    }.`,
  );
  if (isNew) {
    output.say("tc store invite   prints what your next machine needs");
  }
  return EXIT.ok;
}
