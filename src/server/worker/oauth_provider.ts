/**
 * The provider's endpoints from the settings.
 *
 * @module
 */

import { ANTHROPIC, type OAuthProvider } from "../../auth/provider.ts";
import type { Settings } from "../../config/settings.ts";

/** Returns the endpoints; profile and usage default to the upstream. */
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
