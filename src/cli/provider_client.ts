/**
 * Questions to the provider by a command itself: a sign-in, or whose an
 * imported login is. Tokens are never renewed here.
 *
 * @module
 */

import { systemClock } from "../app/clock.ts";
import { oauthProvider } from "../app/oauth_provider.ts";
import { USER_AGENT } from "../app/version.ts";
import { JsonClient } from "../auth/json_client.ts";
import type { OAuthProvider } from "../auth/provider.ts";
import { proxyRules } from "../proxy/proxy_rules.ts";
import { UpstreamPool } from "../proxy/upstream.ts";
import type { Shell } from "./shell.ts";

export interface ProviderClient extends Disposable {
  readonly client: JsonClient;
  readonly provider: OAuthProvider;
}

export function providerClient({ config, environment }: Shell): ProviderClient {
  const { settings } = config;
  const upstream = new UpstreamPool({
    clock: systemClock,
    proxyFor: proxyRules({
      httpsProxy: settings.upstreamProxy || environment["HTTPS_PROXY"] ||
        environment["https_proxy"] || null,
      httpProxy: settings.upstreamProxy || environment["HTTP_PROXY"] ||
        environment["http_proxy"] || null,
      noProxy: environment["NO_PROXY"] || environment["no_proxy"] || null,
    }),
    limits: {
      connectMs: settings.timeouts.connectMs,
      firstByteMs: settings.timeouts.firstByteMs,
      idleBodyMs: settings.timeouts.idleMs,
    },
  });
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
