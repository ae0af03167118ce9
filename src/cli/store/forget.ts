/**
 * `tc store forget`: a machine that is gone for good is taken out of the list.
 *
 * @module
 */

import { inert } from "../../control/words.ts";
import { EXIT, TcError, UsageError } from "../../errors.ts";
import {
  ALIVE_MS,
  dutiesOf,
  type Machine,
  machinesOf,
  removeMachine,
} from "../../store/shared/machines.ts";
import type { SharedPool } from "../../store/shared/open_shared.ts";
import { checkStore } from "../../store/shared/schema.ts";
import { commandWord } from "../../shell_words.ts";
import { askYes, cancelled } from "../asking.ts";
import type { Shell } from "../shell.ts";
import {
  counted,
  labelsOf,
  openMembership,
  seenWords,
} from "./membership_work.ts";

interface ForgetOptions {
  readonly yes?: boolean | undefined;
}

export async function forget(
  shell: Shell,
  wanted: string,
  { yes }: ForgetOptions,
): Promise<number> {
  const { output } = shell;
  const { shared } = await openMembership(shell);
  const { database } = shared;
  try {
    await checkStore(database);
    const machine = await gone(shared, wanted);
    const { polls, renews } = await dutiesOf(database, machine.id);
    const labels = await labelsOf(shared);
    const names = (ids: readonly string[]) =>
      ids.map((id) => inert(labels.get(id) ?? id)).join(", ");
    output.say(
      `Takes ${inert(machine.name)} out of the list (${seenWords(machine)}). ` +
        "Its requests stay in the reports, under its name.",
    );
    if (polls.length > 0) {
      output.say(`Another machine polls the usage of ${names(polls)} then.`);
    }
    if (renews.length > 0) {
      output.say(
        `It did not finish renewing ${names(renews)}: another machine does, ` +
          "a minute after it began.",
      );
    }
    output.say(
      "It keeps its copy of the accounts, and is in the list again when its " +
        "tc runs. If it was stolen: change the database's password, and sign " +
        "in anew with each account.",
    );
    if (
      yes !== true &&
      !await askYes(shell, "Forget this machine?", "The same with --yes")
    ) throw cancelled();
    await removeMachine(database, machine.id);
    if (output.isJson) {
      output.json({
        schema: "tc.store_forget/v1",
        machine: machine.id,
        name: machine.name,
        polled: polls,
        renewing: renews,
      });
    } else output.line(`Forgot ${inert(machine.name)}.`);
    return EXIT.ok;
  } finally {
    await shared.close().catch(() => {});
  }
}

/** Returns the machine called `wanted`. Throws if it is there, or is this one. */
async function gone(
  { database, membership }: SharedPool,
  wanted: string,
): Promise<Machine> {
  const machines = await machinesOf(database);
  const machine = machines.find(({ id }) => id === wanted) ??
    machines.find(({ name }) => name.toLowerCase() === wanted.toLowerCase());
  if (machine === undefined) {
    throw new UsageError(
      `Cannot forget ${inert(wanted)}: the pool has no such machine`,
      `Machines: ${machines.map(({ name }) => inert(name)).join(", ")}`,
    );
  }
  if (machine.id === membership.machine) {
    throw new UsageError(
      `Cannot forget ${inert(machine.name)}: it is this machine`,
      "tc store leave   takes this machine out",
    );
  }
  if (machine.seenMsAgo > ALIVE_MS) return machine;
  const ago = counted(Math.round(machine.seenMsAgo / 1_000), "second");
  throw new TcError(
    `Cannot forget ${inert(machine.name)}: it was there ${ago} ago`,
    {
      code: "machine_alive",
      source: "user",
      exitCode: EXIT.tryLater,
      hint: "tc store leave   takes it out, on that machine\n" +
        `tc store forget ${commandWord(machine.name)}   works ` +
        `${ALIVE_MS / 1_000} seconds after its tc has ended`,
    },
  );
}
