/**
 * `tc upgrade`: replaces this program by the newest release. A server that starts
 * also says, at most once a day, that there is a newer one.
 *
 * @module
 */

import { trustingClient } from "../../system/authorities.ts";
import type { Command } from "@commander-js/extra-typings";
import {
  downloadProgram,
  isNewer,
  latestRelease,
  packageManagerOf,
  replaceProgram,
  updateFile,
} from "../../release/upgrade.ts";
import { buildInfo } from "../../release/version.ts";
import { EXIT, TcError } from "../../errors.ts";
import { ownCommand } from "../../system/own_command.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import { BUILD } from "../../release/build.ts";

interface UpgradeFlags {
  readonly check?: boolean | undefined;
  readonly json?: boolean | undefined;
}

const TEXT: CommandText = {
  name: "upgrade",
  group: "more",
  summary: "Replace this program with the newest verified release",
  examples: ["tc upgrade --check", "tc upgrade"],
  schema: "tc.upgrade/v1",
};

export function registerUpgrade(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .option("--check", "Only say whether there is a newer release")
    .option("--json", "Print one JSON object")
    .action(
      registry.run((flags) => upgrade(new Shell(registry, flags), flags)),
    );
}

async function upgrade(shell: Shell, { check }: UpgradeFlags): Promise<number> {
  const own = buildInfo();
  using client = trustingClient(shell.authorities);
  const release = await latestRelease(releasesOf(shell), undefined, client);
  const hasNewer = isNewer(release.version, own.version);
  if (check || !hasNewer) {
    return report(shell, {
      from: own.version,
      to: release.version,
      done: false,
    });
  }
  const [program = ""] = ownCommand([]);
  const path = await Deno.realPath(program);
  refuseOwned(path);
  shell.output.say(`Downloading tc ${release.version} …`);
  const fresh = await downloadProgram(release, own.target);
  await replaceProgram(path, {
    program: fresh,
    version: release.version,
    before: buildInfo().version,
  }, shell.system);
  return report(shell, { from: own.version, to: release.version, done: true });
}

function refuseOwned(path: string): void {
  if (!Deno.build.standalone) {
    throw new TcError("Cannot upgrade: tc runs from source", {
      code: "no_binary",
      source: "user",
      hint: "git pull",
    });
  }
  const manager = packageManagerOf(path);
  if (manager === null) return;
  throw new TcError(`Cannot upgrade: a package manager owns ${path}`, {
    code: "package_manager",
    source: "user",
    hint: manager,
  });
}

function report(
  { output }: Shell,
  { from, to, done }: {
    readonly from: string;
    readonly to: string;
    readonly done: boolean;
  },
): number {
  const hasNewer = isNewer(to, from);
  if (output.isJson) {
    output.json({
      schema: "tc.upgrade/v1",
      version: from,
      latest: to,
      isNewer: hasNewer,
      upgraded: done,
    });
    return EXIT.ok;
  }
  if (done) {
    output.line(`Upgraded from ${from} to ${to}: signed with a release key.`);
    output.say("  tc restart   lets a running server follow");
  } else if (hasNewer) {
    output.line(`tc ${to} is out; this is ${from}.  tc upgrade   takes it`);
  } else output.line(`tc ${from} is the newest.`);
  return EXIT.ok;
}

const DAY_MS = 86_400_000;
const ANSWER_MS = 1_500;

/** Returns the URL of this build's releases. Throws TcError if it has none. */
function releasesOf({ config }: Shell): string {
  const releases = config.settings.update.releases || BUILD.releases;
  if (/^http:\/\/(?!127\.0\.0\.1[:/])/.test(releases)) {
    throw new TcError(`Cannot upgrade from ${releases}: it must be https`, {
      code: "no_releases",
      source: "user",
    });
  }
  if (releases !== "") return releases.replace(/\/+$/, "");
  throw new TcError("Cannot upgrade: this build has no release URL", {
    code: "no_releases",
    source: "user",
    hint: "tc config set update.releases https://github.com/OWNER/tc/releases",
  });
}

/** Says that there is a newer release, if the user wants to be told. */
export async function noticeUpdate(shell: Shell): Promise<void> {
  const { config, environment, output, paths } = shell;
  if (!config.settings.update.check || environment["TC_NO_UPDATE_CHECK"]) {
    return;
  }
  const file = updateFile(paths.stateFolder);
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
    // Offline, or the folder cannot be written: skip the notice.
  }
}

async function isFresh(file: string): Promise<boolean> {
  const found = await Deno.stat(file).catch(() => null);
  const at = found?.mtime?.getTime() ?? 0;
  return Date.now() - at < DAY_MS;
}
