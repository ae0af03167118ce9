/** Upgrades from a release server of the test's own. */

import "../fixtures/clean_environment.ts";
import {
  deepStrictEqual,
  match,
  ok,
  rejects,
  strictEqual,
} from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { gzipSync } from "node:zlib";
import {
  downloadProgram,
  isNewer,
  latestRelease,
  packageManagerOf,
  replaceProgram,
  tarEntry,
} from "../../src/release/upgrade.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { needs } from "../fixtures/skipped.ts";

const TARGET = "x86_64-unknown-linux-gnu";
const NAME = `tc-${TARGET}.tar.gz`;

/** A program that calls itself `version`. */
function script(version: string): Uint8Array {
  return new TextEncoder().encode(`#!/bin/sh\necho "tc ${version} (test)"\n`);
}

/** An archive as the release workflow makes it, by the system's own tar. */
async function archive(program: Uint8Array): Promise<Uint8Array> {
  await using folder = new TempFolder();
  await Deno.mkdir(folder.join("completions"));
  await Deno.writeFile(
    folder.join("completions", "tc.bash"),
    new Uint8Array(700),
  );
  await Deno.writeFile(folder.join("tc"), program, { mode: 0o755 });
  const { stdout } = await new Deno.Command("tar", {
    args: ["-czf", "-", "-C", folder.path, "completions", "tc"],
  }).output();
  return stdout;
}

/** A key pair: the public one as the program holds it. */
function keyPair(): {
  readonly publicKey: string;
  readonly sign: (text: Uint8Array) => Uint8Array;
} {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const raw = publicKey.export({ type: "spki", format: "der" }).subarray(12);
  return {
    publicKey: raw.toString("base64"),
    sign: (text) => new Uint8Array(sign(null, text, privateKey)),
  };
}

class Releases implements AsyncDisposable {
  readonly files = new Map<string, Uint8Array | string>();
  readonly #server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => this.#answer(new URL(request.url).pathname),
  );

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/releases`;
  }

  #answer(path: string): Response {
    if (path === "/releases/latest") {
      const location = `${this.url}/tag/v1.4.0`;
      return new Response(null, { status: 302, headers: { location } });
    }
    const file = this.files.get(path.split("/").at(-1) ?? "");
    return file === undefined
      ? new Response(null, { status: 404 })
      : new Response(file as BodyInit);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

Deno.test({
  name: "an upgrade takes what a signed list of checksums names, and only that",
  ignore: needs("scripts"),
  fn: async () => {
    await using releases = new Releases();
    await using folder = new TempFolder();
    const bytes = await archive(script("1.4.0"));
    const sum = createHash("sha256").update(bytes).digest("hex");
    releases.files.set(NAME, bytes);
    const release = await latestRelease(releases.url);
    strictEqual(release.version, "1.4.0");
    const [retired, present, stranger] = [keyPair(), keyPair(), keyPair()];
    const keys = [retired.publicKey, present.publicKey];
    const download = () => downloadProgram(release, TARGET, keys);
    /** A list of checksums, signed by `pair`. */
    function publish(list: string, pair = present): void {
      const text = new TextEncoder().encode(list);
      releases.files.set("SHA256SUMS", text);
      releases.files.set("SHA256SUMS.sig", pair.sign(text));
    }

    await rejects(download(), /SHA256SUMS answers 404/);
    releases.files.set("SHA256SUMS", `${sum}  ${NAME}\n`);
    await rejects(download(), /SHA256SUMS\.sig answers 404/);
    for (const signature of [new Uint8Array(64), "", new Uint8Array(65)]) {
      releases.files.set("SHA256SUMS.sig", signature);
      await rejects(download(), /not signed with a release key/);
    }
    publish(`${sum}  ${NAME}\n`, stranger);
    await rejects(download(), /not signed with a release key/);
    publish(`${sum}  ${NAME}\n`);
    releases.files.set("SHA256SUMS", `${sum}  ${NAME}\n\n`);
    await rejects(download(), /not signed with a release key/);
    await rejects(downloadProgram(release, TARGET), /not signed/);

    publish(`${"0".repeat(64)}  ${NAME}\n`);
    await rejects(download(), /has checksum .* and not 0000/);
    publish(`${sum}  another.tar.gz\n`);
    await rejects(download(), /no checksum of/);
    const rubbish = new TextEncoder().encode("no archive");
    releases.files.set(NAME, rubbish);
    publish(`${createHash("sha256").update(rubbish).digest("hex")}  ${NAME}\n`);
    await rejects(download(), /is damaged or holds no program/);
    releases.files.set(NAME, bytes);
    publish(`${sum}  ${NAME}\n`, retired);
    deepStrictEqual(await download(), script("1.4.0"));
    publish(`${sum}  ${NAME}\n`);
    const program = await download();
    deepStrictEqual(program, script("1.4.0"));

    const next = { program, version: "1.4.0", before: "1.3.0" };
    const path = folder.join("tc");
    await Deno.writeFile(path, script("1.3.0"), { mode: 0o755 });
    await rejects(
      replaceProgram(path, { ...next, version: "1.5.0" }, Deno.build.os),
      /calls itself tc 1\.4\.0/,
    );
    await rejects(
      replaceProgram(
        path,
        { ...next, program: new Uint8Array(9) },
        Deno.build.os,
      ),
    );
    deepStrictEqual(await Deno.readFile(path), script("1.3.0"));
    const victim = folder.join("victim");
    await Deno.writeTextFile(victim, "mine");
    await Deno.symlink(victim, `${path}.new`);
    await replaceProgram(path, next, Deno.build.os);
    strictEqual(await Deno.readTextFile(victim), "mine");
    await Deno.remove(`${path}.new`);
    await Deno.remove(victim);
    deepStrictEqual(await Deno.readFile(path), script("1.4.0"));
    strictEqual(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o755);
    const left = await Array.fromAsync(Deno.readDir(folder.path));
    deepStrictEqual(left.map(({ name }) => name), ["tc"]);
  },
});

for (const system of ["linux", "darwin", "windows"]) {
  Deno.test({
    name: `an upgrade on ${system} beside old programs that still run`,
    ignore: needs("scripts"),
    fn: async () => {
      await using folder = new TempFolder();
      const path = folder.join("tc.exe");
      await Deno.writeFile(path, script("1.3.0"), { mode: 0o755 });
      await Deno.writeTextFile(`${path}.old`, "an upgrade of tc 1.2.0");
      // What runs cannot be removed, and neither can a folder with a file.
      await Deno.mkdir(`${path}.old-1.3.0`);
      await Deno.writeTextFile(`${path}.old-1.3.0/held`, "");
      const next = {
        program: script("1.4.0"),
        version: "1.4.0",
        before: "1.3.0",
      };
      await replaceProgram(path, next, system);
      deepStrictEqual(await Deno.readFile(path), script("1.4.0"));
      const left = (await Array.fromAsync(Deno.readDir(folder.path)))
        .map(({ name }) => name);
      deepStrictEqual(
        left.sort(),
        system === "windows"
          ? ["tc.exe", "tc.exe.old-1.3.0", "tc.exe.old-1.3.0-2"]
          : ["tc.exe", "tc.exe.old", "tc.exe.old-1.3.0"],
      );
    },
  });
}

/** wine has none; Windows 10 and later do. */
function hasTar(): boolean {
  try {
    return new Deno.Command("tar", { args: ["--version"] }).outputSync()
      .success;
  } catch {
    return false;
  }
}

Deno.test({
  name: "tarEntry() finds the file behind others, and nothing in invalid data",
  ignore: !hasTar(),
  fn: async () => {
    const bytes = await archive(script("1.0.0"));
    deepStrictEqual(tarEntry(bytes, "tc"), script("1.0.0"));
    strictEqual(tarEntry(bytes, "tc.exe"), null);
    strictEqual(tarEntry(gzipSync(new Uint8Array(700).fill(1)), "tc"), null);
  },
});

Deno.test("isNewer() compares numbers, not letters", () => {
  ok(isNewer("1.10.0", "1.9.9"));
  ok(isNewer("2.0.0", "1.99.99"));
  ok(!isNewer("1.2.3", "1.2.3"));
  ok(!isNewer("1.2.3", "1.2.4"));
});

Deno.test("packageManagerOf() recognises the owner of a program by its path", () => {
  match(packageManagerOf("/opt/homebrew/Cellar/tc/1.0.0/bin/tc") ?? "", /brew/);
  match(packageManagerOf("/nix/store/abc-tc/bin/tc") ?? "", /nix/);
  match(packageManagerOf("/usr/bin/tc") ?? "", /package manager/);
  match(
    packageManagerOf("C:\\Users\\a\\scoop\\apps\\tc\\tc.exe") ?? "",
    /scoop/,
  );
  strictEqual(packageManagerOf("/home/ann/.local/bin/tc"), null);
});
