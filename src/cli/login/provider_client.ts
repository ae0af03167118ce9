/**
 * What a command asks the provider itself: a sign-in, the account of an imported
 * login, and whether a new key is good. Tokens are never renewed here.
 *
 * @module
 */

import { systemClock } from "../../system/clock.ts";
import { oauthProvider } from "../../server/worker/oauth_provider.ts";
import { USER_AGENT } from "../../release/version.ts";
import { JsonClient } from "../../auth/json_client.ts";
import type { OAuthProvider } from "../../auth/provider.ts";
import type { Shell } from "../shell.ts";
import { upstreamOf } from "../swap/swapping.ts";
import { checkKey } from "../../auth/sign_in/api_key.ts";
import { EXIT, TcError } from "../../errors.ts";
import type { Credential } from "../../ports.ts";

export interface ProviderClient extends Disposable {
  readonly client: JsonClient;
  readonly provider: OAuthProvider;
}

export function providerClient(shell: Shell): ProviderClient {
  const { settings } = shell.config;
  const upstream = upstreamOf(shell);
  return {
    client: new JsonClient({
      upstream,
      clock: systemClock,
      userAgent: USER_AGENT,
    }),
    provider: oauthProvider(settings),
    [Symbol.dispose]: () => upstream.close(),
  };
}

/**
 * Throws TcError where the provider does not know the key. If it does not
 * answer, the key is accepted and the person is told.
 */
export async function checkNewKey(
  credential: Exclude<Credential, { kind: "oauth" }>,
  shell: Shell,
): Promise<void> {
  using provider = providerClient(shell);
  const check = await checkKey(credential, provider);
  switch (check.kind) {
    case "accepted":
      return;
    case "unknown":
      shell.output.say(
        `The provider ${check.why}, so the key was not checked.`,
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
