/**
 * Where swapping and profiles keep their files. Loads next to nothing: hooks
 * look here at every prompt.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { sha256 } from "../../auth/sign_in/account_id.ts";
import type { Environment, Paths } from "../../system/paths.ts";
import {
  type ClaudeFolder,
  claudeFolder,
  folderAt,
} from "../../claude/claude_folder.ts";

const FILE_MARK_DIGITS = 8;

/** Where the config folders of profiles are. */
export function profilesFolder({ secretsFolder }: Paths): string {
  return join(secretsFolder, "profiles");
}

/** Whether Claude Code's folder in `environment` is a profile's: those stay. */
export function isProfileFolder(
  environment: Environment,
  paths: Paths,
): boolean {
  return dirname(folderOf(environment).folder) === profilesFolder(paths);
}

/** The file of swapping's state in the Claude Code of `environment`. */
export async function swapFile(
  environment: Environment,
  paths: Paths,
): Promise<string> {
  const { isDefault, folder } = folderOf(environment);
  const mark = isDefault
    ? ""
    : `-${(await sha256(folder)).slice(0, FILE_MARK_DIGITS)}`;
  return join(paths.secretsFolder, `swap${mark}.json`);
}

/** One folder has one spelling, or it has two states. */
function folderOf(environment: Environment): ClaudeFolder {
  const facts = { environment, system: Deno.build.os, userName: null };
  const found = claudeFolder(facts);
  return found.isDefault ? found : folderAt(found.folder, facts);
}
