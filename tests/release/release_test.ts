/** The release files: scripts that fail closed, pins, the formula's blanks. */

import "../fixtures/clean_environment.ts";
import {
  deepStrictEqual,
  match,
  ok,
  rejects,
  strictEqual,
  throws,
} from "node:assert/strict";
import { join } from "node:path";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import {
  formula,
  notesOf,
  sbom,
  signed,
} from "../../.github/release/publish.ts";
import { pack, tryProgram } from "../../.github/release/pack.ts";
import { isSigned, RELEASE_KEYS } from "../../src/release/release_keys.ts";
import { ROOT } from "../fixtures/paths.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { needs } from "../fixtures/skipped.ts";

const INSTALL = `${ROOT}.github/release/install.sh`;
const UNIX = !needs("scripts");

function read(path: string): string {
  return Deno.readTextFileSync(`${ROOT}${path}`);
}

Deno.test("every action is pinned by its commit, its version beside it", () => {
  for (const name of ["ci", "release"]) {
    const text = read(`.github/workflows/${name}.yml`);
    const uses = text.split("\n").filter((line) => line.includes("uses:"));
    ok(uses.length > 0);
    for (const line of uses) match(line, /@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    match(text, /^permissions:/m);
  }
});

Deno.test("a program is signed before it is run, tested and packed", () => {
  const text = read(".github/workflows/release.yml");
  const steps = [
    "run what was built",
    "sign for macOS",
    "sign for Windows",
    "run what was signed",
    "the binary's own tests",
    "pack",
  ].map((name) => text.indexOf(`- name: ${name}\n`));
  ok(!steps.includes(-1));
  deepStrictEqual(steps, steps.toSorted((a, b) => a - b));
  for (const script of ["sign-macos.sh", "sign-windows.ps1"]) {
    ok(text.includes(`run: .github/release/${script} `), script);
    // Every secret that it reads is handed to it, and to no other step.
    const names = read(`.github/release/${script}`)
      .match(/(?<=\$(Env:)?)(APPLE|WINDOWS)_[A-Z_]+/g) ?? [];
    ok(names.length > 0, script);
    for (const name of new Set(names)) {
      strictEqual(
        text.split(`${name}: \${{ secrets.${name} }}`).length,
        2,
        name,
      );
    }
  }
});

Deno.test("no step of a release needs the shell of another system", () => {
  const [, build = ""] = read(".github/workflows/release.yml")
    .split("\n  build:\n");
  const steps = build.split("\n  publish:\n")[0]?.split("\n      - ") ?? [];
  ok(steps.length > 8);
  for (const step of steps.slice(1)) {
    if (/if: runner\.os == '(macOS|Windows)'/.test(step)) continue;
    const line = /^ *(?:- )?run: (.*)$/m.exec(step)?.[1];
    ok(!/^ *run: \|/m.test(step), step);
    if (line !== undefined) {
      match(line, /^deno [^$;&|<>]*(\$\{\{ [\w.]+ \}\}"?)?$/);
    }
    ok(!step.includes("shell:"), step);
  }
});

Deno.test({
  name:
    "pack.ts puts the program, its pages and its completions into an archive",
  ignore: !UNIX,
  fn: async () => {
    await using folder = new TempFolder();
    const target = folder.join("some-target");
    await Deno.mkdir(target);
    await Deno.writeTextFile(
      join(target, "tc"),
      '#!/bin/sh\necho "said $*"\n',
      { mode: 0o755 },
    );
    await tryProgram(join(target, "tc"));
    const archive = await pack(target, "tc");
    strictEqual(archive, folder.join("tc-some-target.tar.gz"));
    const { stdout } = await new Deno.Command("tar", {
      args: ["-xzOf", archive, "completions/tc.ps1", "man/tc.1"],
    }).output();
    strictEqual(
      new TextDecoder().decode(stdout),
      "said completion powershell\nsaid man\n",
    );
    const listed = await new Deno.Command("tar", { args: ["-tzf", archive] })
      .output();
    const names = new TextDecoder().decode(listed.stdout);
    for (const name of ["tc", "LICENSE", "README.md", "completions/_tc"]) {
      ok(names.split("\n").includes(name), names);
    }
    await Deno.writeTextFile(join(target, "tc"), "#!/bin/sh\nexit 3\n");
    await rejects(tryProgram(join(target, "tc")), /ended with 3/);
    await rejects(pack(target, "tc"), /ended with 3/);
  },
});

Deno.test("one Deno version holds everywhere", () => {
  const version = read(".github/deno-version").trim();
  match(version, /^\d+\.\d+\.\d+$/);
  ok(read(".ci/run").includes(`DENO_VERSION=${version}`));
});

Deno.test("formula() fills every blank, or fails", () => {
  const targets = [
    "aarch64-apple-darwin",
    "x86_64-apple-darwin",
    "aarch64-unknown-linux-gnu",
    "x86_64-unknown-linux-gnu",
  ];
  const sums = targets.map((target, index) =>
    `${String(index).repeat(64)}  tc-${target}.tar.gz`
  ).join("\n");
  const facts = { version: "1.2.3", repository: "https://github.com/a/tc" };
  const text = formula(read(".github/release/tc.rb"), sums, facts);
  match(
    text,
    /url "https:\/\/github\.com\/a\/tc\/releases\/download\/v1\.2\.3\/tc-aarch64-apple-darwin\.tar\.gz"\n {6}sha256 "0{64}"/,
  );
  match(text, /run \[opt_bin\/"tc", "server", "--headless"\]/);
  throws(
    () => formula(read(".github/release/tc.rb"), "", facts),
    /No checksum/,
  );
});

Deno.test("notesOf() gives the part of one version", () => {
  const changelog = "# C\n\n## 1.1.0\n\nnew\n\n## 1.0.0\n\nold\n";
  strictEqual(notesOf(changelog, "1.1.0"), "new");
  strictEqual(notesOf(changelog, "1.0.0"), "old");
  strictEqual(notesOf(changelog, "2.0.0"), null);
});

Deno.test("sbom() names each locked package with its checksum", () => {
  const integrity = `sha512-${new Uint8Array(64).fill(7).toBase64()}`;
  const made = sbom(
    { npm: { "@a/b@1.0.0_c@2.0.0": { integrity } } },
    "1.2.3",
    "2026-11-21T00:00:00Z",
  ) as {
    packages: {
      name: string;
      versionInfo: string;
      checksums: { checksumValue: string }[];
    }[];
  };
  const [first] = made.packages;
  deepStrictEqual([first?.name, first?.versionInfo], ["@a/b", "1.0.0"]);
  strictEqual(first?.checksums[0]?.checksumValue, "07".repeat(64));
});

const PAIR = generateKeyPairSync("ed25519");
const TEST_KEY = PAIR.publicKey.export({ type: "spki", format: "der" })
  .subarray(12).toString("base64");

/** The install script with a key of the test in the place of the real ones. */
async function scriptIn(folder: TempFolder): Promise<string> {
  const script = folder.join("install.sh");
  const text = read(".github/release/install.sh");
  const changed = text.replace(/^keys=.*$/m, `keys="other= ${TEST_KEY}"`);
  await Deno.writeTextFile(script, changed);
  return script;
}

async function signSums(folder: string): Promise<void> {
  const sums = await Deno.readFile(`${folder}/SHA256SUMS`);
  const signature = new Uint8Array(sign(null, sums, PAIR.privateKey));
  await Deno.writeFile(`${folder}/SHA256SUMS.sig`, signature);
}

Deno.test("both install scripts hold the keys of the executable, and a probe that is right", async () => {
  strictEqual(RELEASE_KEYS.length, 2);
  for (const name of ["install.sh", "install.ps1"]) {
    const text = read(`.github/release/${name}`);
    for (const key of RELEASE_KEYS) ok(text.includes(key), `${name}: ${key}`);
    const probe = /probe ?= ?"([^"]+)"/.exec(text)?.[1] ?? "";
    const probeKey = /probe_?[kK]ey ?= ?"([^"]+)"/.exec(text)?.[1] ?? "";
    const words = new TextEncoder().encode("tc release key\n");
    const signature = Uint8Array.fromBase64(probe);
    ok(await isSigned(words, signature, [probeKey]), name);
  }
});

Deno.test("publish.ts signs with a key of the executable, and with no other", async () => {
  const sums = new TextEncoder().encode("sum  file\n");
  const pem = String(PAIR.privateKey.export({ type: "pkcs8", format: "pem" }));
  await rejects(signed(sums, pem), /is none of the keys/);
  const signature = await signed(sums, pem, [RELEASE_KEYS[0] ?? "", TEST_KEY]);
  ok(await isSigned(sums, signature, [TEST_KEY]));
  ok(!await isSigned(sums, signature));
  match(read(".github/workflows/release.yml"), /publish\.ts sign/);
});

/** A release in a folder, for this machine's target. */
async function release(
  folder: string,
  said = "tc 9.9.9 (test)",
): Promise<string> {
  const target = Deno.build.target;
  const program = `${folder}/tc`;
  await Deno.writeTextFile(program, `#!/bin/sh\necho "${said}"\n`, {
    mode: 0o755,
  });
  const archive = `tc-${target}.tar.gz`;
  await new Deno.Command("tar", {
    args: ["-czf", `${folder}/${archive}`, "-C", folder, "tc"],
  }).output();
  const bytes = await Deno.readFile(`${folder}/${archive}`);
  const sum = createHash("sha256").update(bytes).digest("hex");
  await Deno.writeTextFile(`${folder}/SHA256SUMS`, `${sum}  ${archive}\n`);
  await signSums(folder);
  return archive;
}

async function install(
  folder: TempFolder,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number; readonly text: string }> {
  const { code, stderr } = await new Deno.Command("sh", {
    args: [await scriptIn(folder), ...args],
    clearEnv: true,
    env: {
      PATH: Deno.env.get("PATH") ?? "",
      HOME: folder.path,
      TC_BASE_URL: `file://${folder.join("release")}`,
      TC_PREFIX: folder.join("bin"),
      ...env,
    },
  }).output();
  return { code, text: new TextDecoder().decode(stderr) };
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

Deno.test({
  name: "install.sh installs what its checksum names, and nothing else",
  ignore: !UNIX,
  fn: async () => {
    await using folder = new TempFolder();
    const installed = folder.join("bin", "tc");
    await Deno.mkdir(folder.join("release"));

    const missing = await install(folder);
    strictEqual(missing.code, 1);
    match(missing.text, /cannot download/);

    const archive = await release(folder.join("release"));
    strictEqual((await install(folder, ["--dry-run"])).code, 0);
    ok(!await exists(installed));

    const sums = folder.join("release", "SHA256SUMS");
    const right = await Deno.readTextFile(sums);
    await Deno.writeTextFile(sums, `${"0".repeat(64)}  ${archive}\n`);
    const unsigned = await install(folder);
    strictEqual(unsigned.code, 1);
    match(unsigned.text, /is not signed with a release key/);
    await signSums(folder.join("release"));
    const wrong = await install(folder);
    strictEqual(wrong.code, 1);
    match(wrong.text, /checksum of .* expected 0{64}/);
    await Deno.writeTextFile(sums, "\n");
    await signSums(folder.join("release"));
    match((await install(folder)).text, /has no line for/);
    ok(!await exists(installed));

    await Deno.writeTextFile(sums, right);
    await signSums(folder.join("release"));
    const other = await install(folder, [], { TC_VERSION: "v9.9.8" });
    match(
      other.text,
      /v9\.9\.8 is asked for, and the program calls itself tc 9/,
    );
    ok(!await exists(installed));
    // A link in the place of what is written is not written through.
    await Deno.mkdir(folder.join("bin"), { recursive: true });
    const victim = folder.join("victim");
    await Deno.writeTextFile(victim, "mine");
    await Deno.symlink(victim, folder.join("bin", "tc.new"));
    await Deno.symlink(victim, installed);
    const done = await install(folder);
    strictEqual(done.code, 0, done.text);
    match(done.text, /installed tc 9\.9\.9 .*\(signed with a release key\)/);
    strictEqual(await Deno.readTextFile(victim), "mine");
    strictEqual(((await Deno.stat(installed)).mode ?? 0) & 0o777, 0o755);
    match(done.text, /export PATH=/);

    const named = await install(folder, [], { TC_NAME: "pool-tc" });
    strictEqual(named.code, 0, named.text);
    ok(await exists(folder.join("bin", "pool-tc")));
    for (const name of ["../tc", ".tc", "-x", "a b"]) {
      const odd = await install(folder, [], { TC_NAME: name });
      match(odd.text, /TC_NAME must be a plain name/);
    }
  },
});

Deno.test({
  name: "install.sh says that it cannot check a signature where no openssl can",
  ignore: !UNIX,
  fn: async () => {
    await using folder = new TempFolder();
    await Deno.mkdir(folder.join("release"));
    await release(folder.join("release"));
    // As LibreSSL on macOS: it knows no -rawin.
    const tools = folder.join("tools");
    await Deno.mkdir(tools);
    await Deno.writeTextFile(`${tools}/openssl`, "#!/bin/sh\nexit 1\n", {
      mode: 0o755,
    });
    const PATH = `${tools}:${Deno.env.get("PATH")}`;
    const done = await install(folder, [], { PATH });
    strictEqual(done.code, 0, done.text);
    match(done.text, /no openssl here can check the signature/);
    match(done.text, /\(NOT verified\)/);
    ok(!/\(signed/.test(done.text));
  },
});

Deno.test({
  name: "shellcheck finds nothing in the scripts",
  ignore: !UNIX || !await exists("/usr/bin/shellcheck"),
  fn: async () => {
    const { stdout } = await new Deno.Command("shellcheck", {
      args: [INSTALL, `${ROOT}.ci/run`],
    }).output();
    strictEqual(new TextDecoder().decode(stdout), "");
  },
});
