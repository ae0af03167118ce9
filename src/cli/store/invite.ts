/**
 * `tc store invite`.
 *
 * @module
 */

import { EXIT } from "../../errors.ts";
import { invitationText } from "../../store/shared/pool_seal.ts";
import type { Shell } from "../shell.ts";
import { openMembership } from "./membership_work.ts";

/** Prints the invitation alone on stdout, so that it can be piped. */
export async function invite(shell: Shell): Promise<number> {
  const { output } = shell;
  const { shared } = await openMembership(shell);
  const invitation = invitationText(shared.membership);
  if (output.isJson) {
    output.json({ schema: "tc.store_invite/v1", invitation });
    return EXIT.ok;
  }
  output.say("A secret: whoever has it can use every account of the pool.");
  output.line(invitation);
  output.say("On the next machine: tc store join, and paste it there.");
  return EXIT.ok;
}
