/**
 * A login in its program's own store, made ready for that program's next start.
 *
 * @module
 */

import { AccountCredential } from "../account_credential.ts";
import { harvest, renewedInPlace } from "./live_login.ts";
import type { LivePlace } from "./live_place.ts";
import { isOAuth, type RefreshPorts } from "../refresh_ports.ts";
import { hasEnded } from "../renewal.ts";

/** How a revival ends; `reason` is a clause. */
export type Revival =
  | { readonly kind: "lives" }
  | { readonly kind: "dead"; readonly reason: string }
  | { readonly kind: "unclear"; readonly reason: string };

/**
 * Renews the login of `place` if its access token is over, as its program would
 * at its start; that program ends where it fails. Throws TcError where the
 * place cannot be read or locked.
 */
export async function revive(
  place: LivePlace,
  ports: RefreshPorts,
): Promise<Revival> {
  const live = await harvest(place, ports);
  switch (live.kind) {
    case "none":
      return { kind: "dead", reason: "the provider no longer accepts it" };
    case "unclear":
      return live;
    case "stranger": {
      const { snapshot } = live;
      const { reading } = snapshot;
      const isOver = reading.kind === "found" &&
        reading.login.credential.expiresAt <= ports.clock.now();
      if (!isOver) return { kind: "lives" };
      const renewed = await renewedInPlace(place, snapshot, ports);
      if (renewed === "renewed") return { kind: "lives" };
      return renewed === "dead"
        ? { kind: "dead", reason: "the provider no longer accepts it" }
        : { kind: "unclear", reason: renewed.reason };
    }
    case "known": {
      const account = new AccountCredential(live.entry.id, ports);
      try {
        const renewal = await account.renew(null);
        if (renewal.kind === "needs_login") {
          return { kind: "dead", reason: renewal.reason };
        }
        if (renewal.kind !== "usable") {
          const reason = renewal.kind === "failed"
            ? renewal.reason
            : "its account was removed";
          return { kind: "unclear", reason };
        }
        const { entry } = renewal;
        return isOAuth(entry) && hasEnded(entry, ports.clock.now())
          ? { kind: "unclear", reason: "its access token is over" }
          : { kind: "lives" };
      } finally {
        await account.close();
      }
    }
  }
}
