/**
 * `tc profile save`: whose the login of Claude Code is, and that it is the one
 * that the profile is for.
 *
 * @module
 */

import { harvest } from "../../auth/shared/live_login.ts";
import { familyOf } from "../../auth/shared/live_place.ts";
import { saveGrant } from "../../auth/sign_in/save_grant.ts";
import { systemClock } from "../../system/clock.ts";
import { TcError } from "../../errors.ts";
import type { VaultEntry } from "../../ports.ts";
import { setUpFolder } from "../../profile/launch_profile.ts";
import { bound } from "../../profile/profile_list.ts";
import { idOfIdentity } from "../../auth/sign_in/account_id.ts";
import type { Profiles } from "./profiles.ts";

/**
 * Stores the live login for the profile `name`. Refuses a login of another
 * account than the profile's, and one that another profile has.
 */
export async function saveLogin(
  name: string,
  profiles: Profiles,
): Promise<VaultEntry> {
  const { ports, list } = profiles;
  const live = await harvest(ports.place, ports);
  switch (live.kind) {
    case "none":
      throw new TcError(
        "Cannot save the login: Claude Code has none that serves",
        { code: "no_login", source: "user", hint: "claude /login" },
      );
    case "unclear":
      throw new TcError(`Cannot save the login: ${live.reason}`, {
        code: "unclear_login",
        hint: "Try again in a moment",
      });
    case "known": {
      const { entry } = live;
      await list.update((all) => bound(all, name, entry.id));
      await setUpFolder(profiles.portsOf(entry.id));
      return entry;
    }
    case "stranger": {
      const { reading } = live.snapshot;
      if (reading.kind !== "found") throw new TypeError("A login was found");
      // Refused before anything is stored.
      bound(await list.load(), name, await idOfIdentity(live.profile.identity));
      const { entries } = await ports.vault.list();
      const result = await saveGrant(
        {
          kind: "granted",
          credential: reading.login.credential,
          profile: live.profile,
        },
        {
          account: null,
          name,
          taken: new Set(entries.map(({ label }) => label)),
          expected: null,
        },
        { vault: ports.vault, clock: systemClock },
      );
      if (result.kind !== "added" && result.kind !== "updated") {
        throw new TcError(`Cannot save the login as ${name}`, {
          code: "not_saved",
        });
      }
      const { id } = result.entry;
      await ports.vault.update(id, (entry) => ({
        ...entry,
        sharedWith: familyOf(ports.place),
      }));
      await list.update((all) => bound(all, name, id));
      await setUpFolder(profiles.portsOf(id));
      return result.entry;
    }
  }
}
