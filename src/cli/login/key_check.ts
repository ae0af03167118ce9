/**
 * A key that a person adds, asked of the provider before it counts as added.
 *
 * @module
 */

import { checkKey } from "../../auth/sign_in/api_key.ts";
import { EXIT, TcError } from "../../errors.ts";
import type { Credential } from "../../ports.ts";
import { providerClient } from "./provider_client.ts";
import type { Shell } from "../shell.ts";

/**
 * Throws TcError where the provider knows no such key. One that it does not
 * answer about is taken, and that is said.
 */
export async function checkNewKey(
  credential: Exclude<Credential, { kind: "oauth" }>,
  shell: Shell,
): Promise<void> {
  using provider = providerClient(shell);
  switch (await checkKey(credential, provider)) {
    case "accepted":
      return;
    case "unknown":
      shell.output.say(
        "The provider did not answer, so the key is not checked.",
      );
      return;
    case "refused":
      throw new TcError("Cannot add the key: the provider does not know it", {
        code: "key_refused",
        source: "user",
        exitCode: EXIT.badData,
        hint: "Copy the whole key from the console, and paste it again",
      });
  }
}
