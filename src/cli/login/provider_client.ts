/**
 * Questions to the provider by a command itself: a sign-in, or whose an
 * imported login is. Tokens are never renewed here.
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
