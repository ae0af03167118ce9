/**
 * Checks the store of a shared pool: that it can be reached, that it has every
 * account of this machine, and that the clock of this machine is right.
 *
 * @module
 */

import { inert } from "../../control/words.ts";
import { reasonOf } from "../../errors.ts";
import { openShellVault } from "../accounts/account_work.ts";
import { exposure, storeAddress } from "../../store/shared/address.ts";
import { machinesOf, paidMaxTrouble } from "../../store/shared/machines.ts";
import { checkStore } from "../../store/shared/schema.ts";
import {
  type DoctorContext,
  failure,
  type Finding,
  fine,
  warning,
} from "./finding.ts";

const TOPIC = "store";
/** With a larger difference figures of this machine seem older or newer. */
const OFFSET_MS_MAX = 2_000;

export async function checkStores(
  { shell }: DoctorContext,
): Promise<readonly Finding[]> {
  if (await shell.membership() === null) return [];
  const { shared } = await openShellVault(shell);
  if (shared === null) return [];
  const { database, vault, membership } = shared;
  try {
    await checkStore(database);
    const machines = await machinesOf(database);
    const exposed = exposure(storeAddress(membership.url));
    const unsent = (await vault.unsent()).length;
    const paidMax = paidMaxTrouble(machines, membership.machine);
    const own = machines.find(({ id }) => id === membership.machine);
    return [
      fine(TOPIC, `${database.place} answers, ${machines.length} machines`),
      ...exposed === null ? [] : [warning(
        TOPIC,
        exposed,
        "tc store leave, then join with another address",
      )],
      ...paidMax === null ? [] : [warning(
        TOPIC,
        inert(paidMax),
        "tc config set paid.max LIMIT, on each machine",
      )],
      ...unsent === 0 ? [] : [warning(
        TOPIC,
        `${unsent} accounts of this machine are not in the store yet`,
        "tc store status   sends them",
      )],
      ...Math.abs(own?.clockOffsetMs ?? 0) <= OFFSET_MS_MAX ? [] : [warning(
        TOPIC,
        "this machine's clock is wrong by " +
          `${Math.round(Math.abs(own?.clockOffsetMs ?? 0) / 1_000)} s`,
        "let the system set it (NTP)",
      )],
    ];
  } catch (cause) {
    return [failure(
      TOPIC,
      `${reasonOf(cause)}; no login is renewed until it is back`,
      "tc store status",
    )];
  } finally {
    await shared.close().catch(() => {
      // It is away.
    });
  }
}
