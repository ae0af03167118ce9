/**
 * `tc store status`: the machines of the shared pool, as the database knows them.
 *
 * @module
 */

import { inert } from "../../control/words.ts";
import { DAY_MS } from "../../core/time.ts";
import { EXIT } from "../../errors.ts";
import { commandWord } from "../../shell_words.ts";
import {
  ALIVE_MS,
  type Machine,
  machinesOf,
} from "../../store/shared/machines.ts";
import { isStoreError } from "../../store/shared/store_error.ts";
import { checkStore } from "../../store/shared/schema.ts";
import type { Shell } from "../shell.ts";
import { type Column, tableLines } from "../table.ts";
import { counted, openMembership, seenText } from "./membership_work.ts";

/** An offset beyond this is told: figures of this machine seem older or newer. */
const OFFSET_MS_MAX = 2_000;

/** From then on a machine may be gone for good. */
const GONE_MS = DAY_MS;

export async function storeStatus(shell: Shell): Promise<number> {
  const { output } = shell;
  const { shared } = await openMembership(shell);
  const { database, vault, membership } = shared;
  try {
    try {
      await checkStore(database);
    } catch (cause) {
      if (!isStoreError(cause) || output.isJson) throw cause;
      const { entries } = await vault.list();
      output.line(`${cause.message}.`);
      output.line(
        `Requests go on with the ${
          counted(entries.length, "account")
        } that this machine knows. No login is renewed, and no account is ` +
          "changed, until it is back.",
      );
      output.say("tc store leave --force   goes on without it");
      return cause.exitCode;
    }
    const machines = await machinesOf(database);
    await vault.exchange();
    const { entries } = await vault.list();
    const unsent = await vault.unsent();
    if (output.isJson) {
      output.json({
        schema: "tc.store_status/v1",
        place: database.place,
        machine: membership.machine,
        accounts: entries.filter(({ sharedWith }) => sharedWith === null)
          .length,
        unsent,
        machines: machines.map((machine) => ({
          ...machine,
          isAlive: machine.seenMsAgo <= ALIVE_MS,
          isThis: machine.id === membership.machine,
        })),
      });
      return EXIT.ok;
    }
    output.line(
      `${database.place}: ${counted(machines.length, "machine")}, ${
        counted(entries.length, "account")
      }`,
    );
    if (unsent.length > 0) {
      output.line(`${counted(unsent.length, "account")} not sent yet`);
    }
    const columns = columnsOf(membership.machine);
    const table = tableLines(machines, columns, shell.output.width);
    output.line();
    output.line(table.head);
    for (const row of table.rows) output.line(row);
    const [gone] = machines.filter(({ id, seenMsAgo }) =>
      id !== membership.machine && seenMsAgo > GONE_MS
    );
    if (gone !== undefined) {
      output.say(
        `tc store forget ${commandWord(gone.name)}   if it is gone for good`,
      );
    }
    return EXIT.ok;
  } finally {
    await shared.close().catch(() => {});
  }
}

function columnsOf(own: string): readonly Column<Machine>[] {
  return [
    {
      title: "machine",
      of: ({ id, name }) => id === own ? `${inert(name)} (this)` : inert(name),
      cutTo: 10,
    },
    { title: "seen", of: seenText },
    {
      title: "requests",
      isNumber: true,
      of: ({ requests, seenMsAgo }) =>
        seenMsAgo > ALIVE_MS ? "-" : String(requests),
    },
    {
      title: "clock",
      drop: 1,
      of: ({ clockOffsetMs }) =>
        Math.abs(clockOffsetMs) <= OFFSET_MS_MAX
          ? "right"
          : `${Math.round(Math.abs(clockOffsetMs) / 1_000)} s ${
            clockOffsetMs > 0 ? "slow" : "fast"
          }`,
    },
    {
      title: "policy",
      drop: 3,
      of: ({ settings }) => inert(settings?.policy ?? "-"),
    },
    {
      title: "paid.max",
      drop: 4,
      of: ({ settings }) => inert(settings?.paidMax ?? "-"),
    },
    { title: "version", drop: 2, of: ({ version }) => version },
  ];
}
