/**
 * Places with a live login as the owners of what they share with the vault:
 * the refresher reads them first and hands successors back.
 *
 * @module
 */

import type { LivePlace } from "./live_login.ts";
import type { FamilyOwners } from "./shared_family.ts";

/** `placeAt` finds the place by its location; null where it is not known. */
export function placeOwners(
  placeAt: (location: string) => LivePlace | null,
): FamilyOwners {
  return {
    async read({ tool, location }) {
      const place = tool === "claude_code" ? placeAt(location) : null;
      if (place === null) return null;
      const { reading } = await place.read();
      return reading.kind === "found" ? reading.login.credential : null;
    },
    async handBack({ tool, location }, spent, next) {
      const place = tool === "claude_code" ? placeAt(location) : null;
      if (place === null) return;
      using _lock = await place.lock();
      const before = await place.read();
      if (before.reading.kind !== "found") return;
      const { login } = before.reading;
      if (!login.credential.refreshToken.equals(spent)) return;
      await place.renew(before, { ...login, credential: next });
    },
  };
}
