/**
 * The notice of a newer release: asked for by a setting, at most once a day,
 * and never in the way of anything.
 *
 * @module
 */

import { trustingClient } from "../../system/authorities.ts";
import { join } from "node:path";
import { isNewer, latestRelease } from "../../release/upgrade.ts";
import { BUILD } from "../../release/build.ts";
import { buildInfo } from "../../release/version.ts";
import { TcError } from "../../errors.ts";
import type { Shell } from "../shell.ts";

const DAY_MS = 86_400_000;
const ANSWER_MS = 1_500;

/** Where the releases of this build are; throws where it does not know. */
export function releasesOf({ config }: Shell): string {
  const releases = config.settings.update.releases || BUILD.releases;
  if (/^http:\/\/(?!127\.0\.0\.1[:/])/.test(releases)) {
    throw new TcError(`Cannot upgrade from ${releases}: it must be https`, {
      code: "no_releases",
      source: "user",
    });
  }
  if (releases !== "") return releases.replace(/\/+$/, "");
  throw new TcError("Cannot upgrade: this build knows no place of releases", {
    code: "no_releases",
    source: "user",
    hint: "tc config set update.releases https://github.com/OWNER/tc/releases",
  });
}

/** Says that there is a newer release, where the user wants to be told. */
export async function noticeUpdate(shell: Shell): Promise<void> {
  const { config, environment, output, paths } = shell;
  if (!config.settings.update.check || environment["TC_NO_UPDATE_CHECK"]) {
    return;
  }
  const file = join(paths.stateFolder, "update-check");
  try {
    if (await isFresh(file)) return;
    using client = trustingClient(shell.authorities);
    const { version } = await latestRelease(
      releasesOf(shell),
      ANSWER_MS,
      client,
    );
    await Deno.writeTextFile(file, version, { mode: 0o600 });
    if (isNewer(version, buildInfo().version)) {
      output.say(`tc ${version} is out: tc upgrade takes it`);
    }
  } catch {
    // Offline, or a folder that cannot be written: nobody waits for a notice.
  }
}

async function isFresh(file: string): Promise<boolean> {
  const found = await Deno.stat(file).catch(() => null);
  const at = found?.mtime?.getTime() ?? 0;
  return Date.now() - at < DAY_MS;
}
