/**
 * Whether Claude Code's own login will serve the launch that comes. A client
 * whose stored login is over and cannot be renewed ends at once, though the
 * pool is well (facts, 10.7).
 *
 * @module
 */

import { systemClock } from "../../system/clock.ts";
import { systemRunner } from "../../system/command_runner.ts";
import type { LivePlace } from "../../auth/shared/live_place.ts";
import { revive } from "../../auth/shared/live_login.ts";
import { claudeFolder } from "../../claude/claude_folder.ts";
import { LOCAL_TOKEN } from "../../claude/launch_variables.ts";
import { findClaudeLogin } from "../../claude/login/own_login.ts";
import { TcError } from "../../errors.ts";
import { ForeignTexts } from "../../store/files/foreign_text.ts";
import { folderFacts, storeOf } from "./login_stores.ts";
import { outsideProfiles } from "../profile/profiles.ts";
import type { Shell } from "../shell.ts";
import { openSwap } from "../swap/swapping.ts";

const INFERENCE = "user:inference";
/** The client starts up; a login that ends meanwhile is renewed before. */
const MARGIN_MS = 60_000;

/**
 * Returns whether the launch may leave Claude Code in its own login. tc
 * renews a login whose access token has ended, because the client would fail
 * with it. If that fails, the client gets the pool's login and a line says why.
 */
export async function hasLivingLogin(shell: Shell): Promise<boolean> {
  const facts = folderFacts(shell);
  if (!await findClaudeLogin(facts, systemRunner)) return false;
  const token = facts.environment["CLAUDE_CODE_OAUTH_TOKEN"];
  if (token && token !== LOCAL_TOKEN) return true;
  const folder = claudeFolder(facts);
  // A keychain's secret is not asked for before a launch.
  if (folder.login.kind !== "file") return true;
  const why = await whyNotServing(folder, shell);
  if (why === null) return true;
  shell.output.say(
    `tc: Claude Code's own login does not serve (${why}): the pool logs it in for this launch`,
  );
  return false;
}

async function whyNotServing(
  folder: ReturnType<typeof claudeFolder>,
  shell: Shell,
): Promise<string | null> {
  try {
    const place = storeOf(folder, new ForeignTexts());
    const { reading } = await place.read();
    switch (reading.kind) {
      case "absent":
      case "blank":
        return "there is none";
      case "unreadable":
        return `${place.location}: ${reading.reason}`;
      case "token": {
        const { expiresAt } = reading;
        const isOver = expiresAt !== null && expiresAt <= systemClock.now();
        return isOver ? "its token is over" : null;
      }
      case "found": {
        const { scopes, expiresAt } = reading.login.credential;
        if (!scopes.includes(INFERENCE)) {
          return `it may not send messages (scope ${INFERENCE})`;
        }
        const isOver = expiresAt <= systemClock.now() + MARGIN_MS;
        return isOver ? await revived(place, shell) : null;
      }
    }
  } catch (cause) {
    if (cause instanceof TcError) return cause.message;
    throw cause;
  }
}

/** Returns why the login cannot be renewed, or null where it was. */
async function revived(
  place: LivePlace,
  shell: Shell,
): Promise<string | null> {
  using swap = await openSwap(outsideProfiles(shell), {
    policy: null,
    threshold: null,
  });
  const revival = await revive(place, swap.ports);
  return revival.kind === "lives" ? null : revival.reason;
}
