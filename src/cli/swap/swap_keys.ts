/**
 * `tc swap key`: the API keys that serve when every subscription is spent. They
 * are accounts of the pool like all others.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { systemClock } from "../../system/clock.ts";
import { addKey, readKey } from "../../auth/sign_in/api_key.ts";
import { inert } from "../../control/words.ts";
import { EXIT, UsageError } from "../../errors.ts";
import { checkName, findAccount } from "../../store/account_desk.ts";
import { isFallbackKey } from "../../swap/key_mode.ts";
import {
  checkFree,
  openDesk,
  takenNames,
  tellServer,
} from "../accounts/account_work.ts";
import { askSecret, readStdin } from "../asking.ts";
import type { Registry } from "../registry.ts";
import { checkNewKey } from "../login/key_check.ts";
import { Shell } from "../shell.ts";

export function registerSwapKeys(
  swap: Command<[], Record<string, unknown>>,
  registry: Registry,
): void {
  const key = swap.command("key").description("API keys for the last resort");
  key.command("add")
    .description("Add a key: typed unseen, or read from standard input")
    .option("--id <name>", "Name for the key")
    .option("--json", "Print one JSON object")
    .action(registry.run((options) => {
      return add(new Shell(registry.environment, options), options.id ?? null);
    }));
  key.command("list").alias("ls")
    .description("List the keys; none of their characters is shown")
    .option("--json", "Print one JSON object")
    .action(registry.run((options) => {
      return list(new Shell(registry.environment, options));
    }));
  key.command("rm")
    .description("Remove a key")
    .argument("<key>", "Name or id of the key")
    .action(registry.run((name) => {
      return remove(new Shell(registry.environment, {}), name);
    }));
}

async function add(shell: Shell, name: string | null): Promise<number> {
  if (name !== null) checkName(name);
  const { desk, vault } = await openDesk(shell);
  const listing = await desk.list();
  if (name !== null) checkFree(name, listing);
  const text = shell.mayAsk
    ? await askSecret(shell, "API key")
    : await readStdin("the key");
  const credential = readKey(text, null);
  if (credential.kind !== "api_key") {
    throw new UsageError(
      "Cannot use it as a fallback: it is no API key",
      "An API key starts with sk-ant-api",
    );
  }
  await checkNewKey(credential, shell);
  const taken = takenNames(listing);
  const entry = await addKey(
    credential,
    { name, account: null, backend: null, taken },
    { vault, clock: systemClock },
  );
  await desk.enlist(entry.id);
  await tellServer(shell);
  const { id, label } = entry;
  if (shell.output.isJson) {
    shell.output.json({ schema: "tc.swap_key/v1", key: { id, name: label } });
  } else shell.output.line(`Added ${inert(label)}.`);
  return EXIT.ok;
}

async function list(shell: Shell): Promise<number> {
  const { desk } = await openDesk(shell);
  const { accounts } = await desk.list();
  const keys = accounts.filter(isFallbackKey)
    .map(({ account: { id, label } }) => ({ id, name: label }));
  const { output } = shell;
  if (output.isJson) output.json({ schema: "tc.swap_keys/v1", keys });
  else for (const { name } of keys) output.line(inert(name));
  return EXIT.ok;
}

async function remove(shell: Shell, name: string): Promise<number> {
  const { desk } = await openDesk(shell);
  const listing = await desk.list();
  const found = findAccount(listing, name);
  const record = listing.accounts.find(({ account }) =>
    account.id === found.id
  );
  if (record !== undefined && record.account.kind !== "api_key") {
    throw new UsageError(
      `Cannot remove ${found.label} as a key: it is an account`,
      `tc remove ${found.label}`,
    );
  }
  await desk.remove(found.id);
  await tellServer(shell);
  shell.output.line(`Removed ${inert(found.label)}.`);
  return EXIT.ok;
}
