/**
 * Finds a newer release and replaces this program with it: only a file that a
 * signed list of checksums names, and only where no package manager owns the
 * program.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { EXIT, TcError } from "../errors.ts";
import { systemCode } from "../store/files/file_target.ts";
import { pastHolders } from "../store/files/held_file.ts";
import { refuseForeign } from "../store/files/own_files.ts";
import { isSigned, RELEASE_KEYS } from "./release_keys.ts";
import { gunzipSync } from "node:zlib";

const SUMS = "SHA256SUMS";
/** The Ed25519 signature of that file, raw. */
const SIGNATURE = "SHA256SUMS.sig";
const ANSWER_MS = 15_000;
const DOWNLOAD_MS = 600_000;

/**
 * Parts of a path that show a package manager, and its command for an upgrade.
 */
const MANAGERS: readonly (readonly [mark: RegExp, command: string])[] = [
  [/[/\\](Cellar|homebrew|linuxbrew)[/\\]/i, "brew upgrade tc"],
  [/^\/nix\/store\//, "nix profile upgrade tc"],
  [/[/\\]scoop[/\\]/i, "scoop update tc"],
  [/[/\\]node_modules[/\\]/, "npm update"],
  [/^\/(usr\/bin|usr\/sbin|bin|sbin|snap)\//, "your system's package manager"],
];

interface Release {
  /** Without the `v` of its tag. */
  readonly version: string;
  /** Where its files are. */
  readonly url: string;
  /**
   * Trusts the machine's own authorities as well; null: only the built-in ones.
   */
  readonly client: Deno.HttpClient | null;
}

/**
 * Returns the newest release at `releases`, such as `https://…/tc/releases`.
 */
export async function latestRelease(
  releases: string,
  timeoutMs = ANSWER_MS,
  client: Deno.HttpClient | null = null,
): Promise<Release> {
  const response = await get(`${releases}/latest`, { timeoutMs, client });
  await response.body?.cancel();
  const tag = /\/tag\/v(\d+\.\d+\.\d+)$/.exec(
    response.headers.get("location") ?? "",
  )?.[1];
  if (tag === undefined) {
    throw failed(`${releases}/latest names no release`);
  }
  return { version: tag, url: `${releases}/download/v${tag}`, client };
}

/** Returns whether version `a` is newer than `b`; both as `1.2.3`. */
export function isNewer(a: string, b: string): boolean {
  const [x, y] = [a, b].map((version) => version.split(".").map(Number));
  for (let part = 0; part < 3; part++) {
    const difference = (x?.[part] ?? 0) - (y?.[part] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

/**
 * Returns the command by which a package manager upgrades the program at
 * `path`, or null if none owns it.
 */
export function packageManagerOf(path: string): string | null {
  return MANAGERS.find(([mark]) => mark.test(path))?.[1] ?? null;
}

/**
 * Returns the program of `release` for `target`. The list of checksums must be
 * signed with one of `keys`, and the archive must match its line: a checksum
 * alone comes from the same place as the archive and proves nothing.
 */
export async function downloadProgram(
  release: Release,
  target: string,
  keys: readonly string[] = RELEASE_KEYS,
): Promise<Uint8Array> {
  const name = `tc-${target}.tar.gz`;
  const list = await bytesOf(release, SUMS);
  if (!await isSigned(list, await bytesOf(release, SIGNATURE), keys)) {
    throw failed(
      `${release.url}/${SUMS} is not signed with a release key of tc`,
    );
  }
  const sums = new TextDecoder().decode(list);
  const wanted = sums.split("\n").map((line) => line.trim().split(/\s+\*?/))
    .find(([, file]) => file === name)?.[0];
  if (wanted === undefined || !/^[0-9a-f]{64}$/.test(wanted)) {
    throw failed(`${SUMS} has no checksum of ${name}`);
  }
  const archive = await bytesOf(release, name);
  const found = createHash("sha256").update(archive).digest("hex");
  if (found !== wanted) {
    throw failed(`${name} has checksum ${found}, and not ${wanted}`);
  }
  const program = unpacked(
    archive,
    target.includes("windows") ? "tc.exe" : "tc",
  );
  if (program === null) throw failed(`${name} is damaged or holds no program`);
  return program;
}

function unpacked(archive: Uint8Array, name: string): Uint8Array | null {
  try {
    return tarEntry(archive, name);
  } catch {
    // It is not gzip, or it is too large.
    return null;
  }
}

async function bytesOf(
  release: Release,
  name: string,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await (await file(release, name)).bytes();
  } catch (cause) {
    if (cause instanceof TcError) throw cause;
    throw failed(`${release.url}/${name} broke off`, cause);
  }
}

async function file(release: Release, name: string): Promise<Response> {
  const response = await get(`${release.url}/${name}`, {
    timeoutMs: DOWNLOAD_MS,
    client: release.client,
    redirect: "follow",
  });
  if (response.ok) return response;
  await response.body?.cancel();
  throw failed(`${release.url}/${name} answers ${response.status}`);
}

async function get(
  url: string,
  { timeoutMs, client, redirect = "manual" }: {
    readonly timeoutMs: number;
    readonly client: Deno.HttpClient | null;
    readonly redirect?: "manual" | "follow";
  },
): Promise<Response> {
  try {
    return await fetch(url, {
      redirect,
      ...(client === null ? {} : { client }),
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch (cause) {
    throw failed(`${url} cannot be reached`, cause);
  }
}

function failed(reason: string, cause?: unknown): TcError {
  return new TcError(`Cannot upgrade: ${reason}`, {
    code: "upgrade_failed",
    source: "upstream",
    exitCode: EXIT.unavailable,
    hint: "Nothing was changed.",
    cause,
  });
}

/** What a program is replaced by. */
interface NextProgram {
  readonly program: Uint8Array;
  readonly version: string;
  /** The version that stands there now. */
  readonly before: string;
}

/**
 * Replaces the file at `path` with the next program: writes a new file beside it, asks
 * it for its version, and renames it. Links to `path` stay valid, and a running
 * tc keeps its old file.
 */
export async function replaceProgram(
  path: string,
  { program, version, before }: NextProgram,
  system: string,
): Promise<void> {
  // Windows starts by the ending.
  const ending = system === "windows" ? "new.exe" : "new";
  const fresh = `${path}.${crypto.randomUUID()}.${ending}`;
  refuseForeign(dirname(path));
  try {
    await Deno.writeFile(fresh, program, { createNew: true, mode: 0o755 });
    await Deno.chmod(fresh, 0o755).catch(() => {
      // Windows has no modes.
    });
    await checkRuns(fresh, version);
    if (system === "windows") await swapAside(path, fresh, before);
    else await Deno.rename(fresh, path);
  } catch (cause) {
    await Deno.remove(fresh).catch(() => {
      // The file was never created.
    });
    if (system === "windows" && isHeld(cause)) {
      throw new TcError(`Cannot upgrade: a program has ${path} open`, {
        code: "file_busy",
        source: "user",
        exitCode: EXIT.tryLater,
        hint: "A virus scanner or a backup may be reading it: try again",
        cause,
      });
    }
    if (cause instanceof Deno.errors.PermissionDenied) {
      throw new TcError(`Cannot upgrade: ${path} is not yours to write`, {
        code: "no_permission",
        source: "user",
        exitCode: EXIT.noPermission,
        hint: "Install tc into a folder of yours, or ask who installed it",
        cause,
      });
    }
    throw cause;
  }
}

/**
 * Windows renames a program that runs, and neither replaces nor removes it: the
 * old one goes aside, under a name that no older one has that still runs.
 */
async function swapAside(
  path: string,
  fresh: string,
  before: string,
): Promise<void> {
  const aside = await freeAside(path, before);
  await pastHolders(() => Deno.renameSync(path, aside), { system: "windows" });
  try {
    await pastHolders(() => Deno.renameSync(fresh, path), {
      system: "windows",
    });
  } catch (cause) {
    await Deno.rename(aside, path);
    throw cause;
  }
}

/** Removes what older upgrades put aside and nobody runs; returns a free name. */
async function freeAside(path: string, before: string): Promise<string> {
  const name = basename(path);
  const taken = new Set<string>();
  for await (const entry of Deno.readDir(dirname(path))) {
    const isOld = entry.name === `${name}.old` ||
      entry.name.startsWith(`${name}.old-`);
    if (!isOld) continue;
    try {
      await Deno.remove(join(dirname(path), entry.name));
    } catch {
      // It runs still: the next upgrade removes it.
      taken.add(entry.name);
    }
  }
  for (let number = 1;; number++) {
    const mark = number === 1 ? before : `${before}-${number}`;
    if (!taken.has(`${name}.old-${mark}`)) return `${path}.old-${mark}`;
  }
}

/** Whether another program holds a file (os errors 32 and 33). */
function isHeld(cause: unknown): boolean {
  return systemCode(cause) === "EBUSY";
}

async function checkRuns(program: string, version: string): Promise<void> {
  const { stdout } = await new Deno.Command(program, { args: ["--version"] })
    .output().catch((cause) => {
      throw failed("the downloaded program does not start", cause);
    });
  const said = new TextDecoder().decode(stdout).trim();
  if (!said.startsWith(`tc ${version} `)) {
    throw failed(`the downloaded program calls itself ${said.slice(0, 80)}`);
  }
}

const BLOCK_BYTES = 512;
const ARCHIVE_BYTES_MAX = 512 * 1024 * 1024;

/**
 * Returns the bytes of the regular file `name` at the top of the `.tar.gz`, or
 * null.
 */
export function tarEntry(
  archive: Uint8Array,
  name: string,
): Uint8Array | null {
  const tar = gunzipSync(archive, { maxOutputLength: ARCHIVE_BYTES_MAX });
  for (let at = 0; at + BLOCK_BYTES <= tar.length;) {
    const header = tar.subarray(at, at + BLOCK_BYTES);
    const found = text(header, 0, 100).replace(/^\.\//, "");
    if (found === "") return null;
    const size = Number.parseInt(text(header, 124, 12).trim(), 8);
    if (!Number.isSafeInteger(size) || size < 0) return null;
    const start = at + BLOCK_BYTES;
    const type = text(header, 156, 1);
    if (found === name && (type === "0" || type === "")) {
      const end = start + size;
      return end <= tar.length
        ? new Uint8Array(tar.subarray(start, end))
        : null;
    }
    at = start + Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
  }
  return null;
}

function text(block: Uint8Array, from: number, length: number): string {
  const field = block.subarray(from, from + length);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

/** Returns the file that holds the newest release that was found. */
export function updateFile(stateFolder: string): string {
  return `${stateFolder}/update-check`;
}
