/**
 * One change of one account by a command: in the running server if one runs,
 * else in the files.
 *
 * @module
 */

import { inert } from "../../control/words.ts";
import { EXIT } from "../../errors.ts";
import { type AccountChange, findAccount } from "../../store/account_desk.ts";
import { byServerOr, openDesk } from "./account_work.ts";
import type { Shell } from "../shell.ts";

export interface ChangeOrder {
  /** The account's name or id. */
  readonly wanted: string;
  readonly change: AccountChange;
  /** Schema of the `--json` answer. */
  readonly schema: string;
  /** What a person reads, by the account's name. */
  readonly told: (label: string) => string;
}

/** Carries `order` out and says so. */
export async function changeAccount(
  shell: Shell,
  { wanted, change, schema, told }: ChangeOrder,
): Promise<number> {
  const { output } = shell;
  const { desk } = await openDesk(shell);
  const { id, label } = findAccount(await desk.list(), wanted);
  const client = shell.client();
  await byServerOr({
    server: async () => {
      await client.send("PATCH", client.accountPath(id), change);
    },
    alone: () => desk.change(id, change),
  });
  const name = change.name ?? label;
  if (output.isJson) output.json({ schema, id, label: name, change });
  else output.line(told(inert(name)));
  return EXIT.ok;
}
