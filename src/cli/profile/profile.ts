/**
 * `tc profile`: a config folder for each account, so that two terminals can use
 * two accounts at the same time.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { inert } from "../../control/words.ts";
import { EXIT, TcError, UsageError } from "../../errors.ts";
import { setUpFolder } from "../../profile/launch_profile.ts";
import {
  bound,
  checkProfileName,
  findProfile,
} from "../../profile/profile_list.ts";
import {
  PROFILE_SHELLS,
  shellFunctions,
} from "../../profile/shell_functions.ts";
import { nearest } from "../../core/nearest.ts";
import { openDesk } from "../accounts/account_work.ts";
import { askYes } from "../asking.ts";
import { helperCommand } from "../../claude/api_key_helper.ts";
import { lastingCommand } from "../../system/own_command.ts";
import { profileList, Profiles } from "./profiles.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { type CommonOptions, Shell } from "../shell.ts";
import { cellLines } from "../table.ts";
import { harvest } from "../../auth/shared/live_login.ts";
import { familyOf } from "../../auth/shared/live_place.ts";
import { saveGrant } from "../../auth/sign_in/save_grant.ts";
import { systemClock } from "../../system/clock.ts";
import type { VaultEntry } from "../../ports.ts";
import { idOfIdentity } from "../../auth/sign_in/account_id.ts";
import { commandWord, evaluatedScript } from "../../shell_words.ts";

const TEXT: CommandText = {
  name: "profile",
  group: "more",
  summary: "A config folder for each account: two terminals, two accounts",
  examples: [
    "tc profile add ada@example.com",
    "tc profile add work --account ada@example.com",
    "tc run --profile work --continue",
    (person) => evaluatedScript(person, "tc profile shell"),
  ],
  schema: "tc.profiles/v1",
};

export function registerProfile(program: Command, registry: Registry): void {
  const profile = addCommand(program, registry, TEXT);
  const open = (options: CommonOptions) => new Shell(registry, options);
  profile.command("add")
    .description("Make a profile of an account of the pool")
    .argument("<name>", "Name of the account, and so of the profile")
    .option("--account <name>", "The account, where the profile's name differs")
    .option("--empty", "Without a login for now: tc profile save stores one")
    .action(registry.run((name, options) => add(open({}), name, options)));
  profile.command("save")
    .description("Save Claude Code's current login to this profile")
    .argument("<name>")
    .action(registry.run((name) => save(open({}), name)));
  profile.command("setup")
    .description("Recreate all profile folders and links")
    .action(registry.run(() => setUp(open({}))));
  profile.command("list").alias("ls")
    .description("List the profiles")
    .option("--json", "Print one JSON object")
    .action(registry.run((options) => list(open(options))));
  profile.command("remove").alias("rm")
    .description("Remove a profile; its account stays in the pool")
    .argument("<name>")
    .option("--yes", "Do not ask")
    .action(registry.run((name, options) => {
      return remove(open({}), name, options.yes ?? false);
    }));
  profile.command("shell")
    .description("Print the functions cl and cl-NAME for a shell's start file")
    .argument("<shell>", `One of ${PROFILE_SHELLS.join(", ")}`)
    .action(registry.run((name) => printFunctions(open({}), name)));
}

interface AddOptions {
  readonly account?: string | undefined;
  readonly empty?: boolean | undefined;
}

async function add(
  shell: Shell,
  name: string,
  { account, empty = false }: AddOptions,
): Promise<number> {
  checkProfileName(name);
  if (empty && account !== undefined) {
    throw new UsageError("Cannot use --empty with --account: take one of them");
  }
  using profiles = await Profiles.open(shell);
  const known = await profiles.list.load();
  if (known.some((profile) => profile.name === name)) {
    throw new UsageError(`Cannot add ${name}: there is such a profile already`);
  }
  if (empty) {
    await profiles.list.update((all) => [...all, { name, account: null }]);
    shell.output.line(`Added ${name}, without a login.`);
    shell.output.say(
      `claude /login with its account, then: tc profile save ${
        commandWord(name)
      }`,
    );
    return EXIT.ok;
  }
  const records = await profiles.ports.accounts();
  const wanted = account ?? name;
  const found = records.find(({ account }) => account.label === wanted) ??
    records.find(({ account }) => account.id === wanted) ??
    onlyOne(records.filter(({ email }) => email === wanted));
  if (found === undefined) {
    throw noSuchAccount(
      { name, wanted },
      records.map(({ account }) => account.label),
    );
  }
  const { id, kind } = found.account;
  if (kind !== "subscription") {
    throw new UsageError(
      `Cannot make a profile of ${name}: it is not a subscription login`,
    );
  }
  await profiles.list.update((all) => bound(all, name, id));
  await setUpFolder(profiles.portsOf(id));
  shell.output.line(`Added ${name}.`);
  shell.output.say(`tc run --profile ${commandWord(name)}`);
  return EXIT.ok;
}

/**
 * Returns the item if there is only one: an e-mail address may have logins of
 * several organizations.
 */
function onlyOne<Item>(items: readonly Item[]): Item | undefined {
  return items.length === 1 ? items[0] : undefined;
}

/** Returns the error for an unknown account, with the nearest name. */
function noSuchAccount(
  { name, wanted }: { readonly name: string; readonly wanted: string },
  labels: readonly string[],
): UsageError {
  const near = nearest(wanted, labels);
  const command = `tc profile add ${commandWord(name)}`;
  return new UsageError(
    `Cannot find the account ${inert(wanted)}`,
    [
      near === null
        ? "tc accounts   lists them"
        : `tc profile add ${
          commandWord(near)
        }   is the nearest; tc accounts lists all`,
      `${command} --empty   makes a profile without a login`,
    ].join("\n"),
  );
}

async function save(shell: Shell, name: string): Promise<number> {
  checkProfileName(name);
  using profiles = await Profiles.open(shell);
  const { id, email } = await saveLogin(name, profiles);
  const { desk } = await openDesk(shell);
  await desk.enlist(id);
  const who = email === null ? "" : ` (${inert(email)})`;
  shell.output.line(`Saved the login of Claude Code as ${name}${who}.`);
  shell.output.say(
    "Claude Code itself has this login still: log in there with another account, or use the profile alone",
  );
  return EXIT.ok;
}

async function setUp(shell: Shell): Promise<number> {
  using profiles = await Profiles.open(shell);
  for (const { name, account } of await profiles.list.load()) {
    if (account === null) {
      shell.output.say(
        `${name} has no login yet: tc profile save ${commandWord(name)}`,
      );
      continue;
    }
    const merged = await setUpFolder(profiles.portsOf(account));
    const words = merged.length === 0 ? "" : `, merged ${merged.join(", ")}`;
    shell.output.line(`${name}  ${profiles.folderOf(account).folder}${words}`);
  }
  return EXIT.ok;
}

async function list(shell: Shell): Promise<number> {
  using profiles = await Profiles.open(shell);
  const records = await profiles.ports.accounts();
  const sessions = await profiles.book.open();
  const rows = (await profiles.list.load()).map(({ name, account }) => ({
    name,
    account: records.find((record) => record.account.id === account)?.account
      .label ?? null,
    folder: account === null ? null : profiles.folderOf(account).folder,
    sessions: sessions.filter((session) => session.account === account).length,
  }));
  const { output } = shell;
  if (output.isJson) {
    output.json({ schema: "tc.profiles/v1", profiles: rows });
    return EXIT.ok;
  }
  if (rows.length === 0) output.say("No profiles yet: tc profile add NAME");
  if (rows.length === 0) return EXIT.ok;
  const cells = rows.map(({ name, account, sessions }) => [
    name,
    account === null ? "no login yet" : inert(account),
    account === null ? "" : String(sessions),
  ]);
  const looks = [{ cutTo: 8 }, { cutTo: 8 }, { isNumber: true, drop: 1 }];
  const lines = cellLines(
    [["profile", "account", "running"], ...cells],
    looks,
    output.width,
  );
  for (const line of lines) output.line(line);
  return EXIT.ok;
}

async function remove(
  shell: Shell,
  name: string,
  isSure: boolean,
): Promise<number> {
  using profiles = await Profiles.open(shell);
  const { account } = findProfile(await profiles.list.load(), name);
  const running = (await profiles.book.open())
    .filter((session) => session.account === account).length;
  if (account !== null && running > 0) {
    throw new TcError(`Cannot remove ${name}: ${running} sessions run in it`, {
      code: "in_use",
      source: "user",
    });
  }
  if (
    !isSure &&
    !await askYes(
      shell,
      `Remove the profile ${name}?`,
      `tc profile remove ${commandWord(name)} --yes`,
    )
  ) return EXIT.ok;
  if (account !== null) {
    const ports = profiles.portsOf(account);
    // Keep what its client renewed, and what it wrote in place of links.
    await profiles.harvest(account);
    await setUpFolder(ports);
    const { location } = ports.place;
    await ports.vault.update(
      account,
      (entry) =>
        entry.sharedWith?.location === location
          ? { ...entry, sharedWith: null }
          : entry,
    );
    await Deno.remove(ports.own.folder, { recursive: true });
  }
  await profiles.list.update((all) =>
    all.filter((profile) => profile.name !== name)
  );
  shell.output.line(`Removed the profile ${name}.`);
  return EXIT.ok;
}

async function printFunctions(shell: Shell, name: string): Promise<number> {
  const known = PROFILE_SHELLS.find((candidate) => candidate === name);
  if (known === undefined) {
    throw new UsageError(
      `Cannot write for ${name}: it must be one of ${
        PROFILE_SHELLS.join(", ")
      }`,
    );
  }
  const profiles = await profileList(shell).load();
  const names = profiles.map((profile) => profile.name);
  const tc = Deno.build.standalone
    ? "tc"
    : helperCommand(lastingCommand([], shell.system), shell.system);
  shell.output.raw(shellFunctions(known, names, tc));
  return EXIT.ok;
}

/**
 * Stores the live login for the profile `name`. Refuses a login of another
 * account than the profile's, and one that another profile has.
 */
async function saveLogin(
  name: string,
  profiles: Profiles,
): Promise<VaultEntry> {
  const { ports, list } = profiles;
  const live = await harvest(ports.place, ports);
  switch (live.kind) {
    case "none":
      throw new TcError(
        "Cannot save the login: Claude Code has none that serves",
        { code: "no_login", source: "user", hint: "claude /login" },
      );
    case "unclear":
      throw new TcError(`Cannot save the login: ${live.reason}`, {
        code: "unclear_login",
        hint: "Try again in a moment",
      });
    case "known": {
      const { entry } = live;
      await list.update((all) => bound(all, name, entry.id));
      await setUpFolder(profiles.portsOf(entry.id));
      return entry;
    }
    case "stranger": {
      const { reading } = live.snapshot;
      if (reading.kind !== "found") throw new TypeError("A login was found");
      // Throws before anything is stored.
      bound(await list.load(), name, await idOfIdentity(live.profile.identity));
      const { entries } = await ports.vault.list();
      const result = await saveGrant(
        {
          kind: "granted",
          credential: reading.login.credential,
          profile: live.profile,
        },
        {
          account: null,
          name,
          taken: new Set(entries.map(({ label }) => label)),
          expected: null,
        },
        { vault: ports.vault, clock: systemClock },
      );
      if (result.kind !== "added" && result.kind !== "updated") {
        throw new TcError(`Cannot save the login as ${name}`, {
          code: "not_saved",
        });
      }
      const { id } = result.entry;
      await ports.vault.update(id, (entry) => ({
        ...entry,
        sharedWith: familyOf(ports.place),
      }));
      await list.update((all) => bound(all, name, id));
      await setUpFolder(profiles.portsOf(id));
      return result.entry;
    }
  }
}
