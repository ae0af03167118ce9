/**
 * The provider's endpoints as the settings have them.
 *
 * @module
 */

import { ANTHROPIC, type OAuthProvider } from "../../auth/provider.ts";
import type { Settings } from "../../config/settings.ts";

/** Profile and usage are asked of the upstream where nothing else is set. */
export function oauthProvider({ oauth, upstream }: Settings): OAuthProvider {
  const api = upstream.replace(/\/+$/, "");
  return {
    authorizeUrl: oauth.authorizeUrl,
    tokenUrl: oauth.tokenUrl,
    profileUrl: oauth.profileUrl || `${api}/api/oauth/profile`,
    usageUrl: oauth.usageUrl || `${api}/api/oauth/usage`,
    modelsUrl: `${api}/v1/models?limit=1`,
    clientId: oauth.clientId,
    scopes: ANTHROPIC.scopes,
    manualRedirectUri: oauth.manualRedirectUrl,
  };
}
