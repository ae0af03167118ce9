/**
 * What a release needs besides its binaries:
 *
 *   publish.ts check TAG     tag, deno.json and CHANGELOG.md name one version
 *   publish.ts notes TAG     the changelog's part of that version
 *   publish.ts sbom TAG      the npm packages of deno.lock as SPDX 2.3
 *   publish.ts formula TAG   the Homebrew formula, from dist/SHA256SUMS
 *   publish.ts sign TAG      dist/SHA256SUMS.sig, with the key in TC_RELEASE_KEY
 */

import { createHash, createPrivateKey, sign } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isSigned, RELEASE_KEYS } from "../../src/release/release_keys.ts";
import config from "../../deno.json" with { type: "json" };

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

function read(path: string): string {
  return Deno.readTextFileSync(join(ROOT, path));
}

/** The text between the version's heading and the next. */
export function notesOf(changelog: string, version: string): string | null {
  const parts = changelog.split(/^## /m).slice(1);
  const part = parts.find((text) =>
    text.replace(/^\[/, "").startsWith(version)
  );
  return part?.split("\n").slice(1).join("\n").trim() ?? null;
}

export function check(tag: string): void {
  if (tag !== `v${config.version}`) {
    throw new Error(`The tag is ${tag}, deno.json says ${config.version}`);
  }
  if (notesOf(read("CHANGELOG.md"), config.version) === null) {
    throw new Error(`CHANGELOG.md has no part for ${config.version}`);
  }
}

interface Lock {
  readonly npm?: Readonly<Record<string, { readonly integrity: string }>>;
}

/** An SPDX document of every npm package that the lock file pins. */
export function sbom(lock: Lock, version: string, created: string): unknown {
  const packages = Object.entries(lock.npm ?? {}).map(
    ([key, { integrity }]) => {
      const bare = key.replace(/_.*$/, "");
      const at = bare.lastIndexOf("@");
      const [name, number] = [bare.slice(0, at), bare.slice(at + 1)];
      return {
        SPDXID: `SPDXRef-${bare.replaceAll(/[^A-Za-z0-9.-]/g, "-")}`,
        name,
        versionInfo: number,
        downloadLocation: "NOASSERTION",
        checksums: [{
          algorithm: "SHA512",
          checksumValue: Uint8Array.fromBase64(integrity.replace("sha512-", ""))
            .toHex(),
        }],
        externalRefs: [{
          referenceCategory: "PACKAGE-MANAGER",
          referenceType: "purl",
          referenceLocator: `pkg:npm/${name.replace("@", "%40")}@${number}`,
        }],
      };
    },
  );
  const mark = createHash("sha256").update(JSON.stringify(packages))
    .digest("hex");
  return {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name: `tc-${version}`,
    documentNamespace: `https://spdx.org/spdxdocs/tc-${version}-${mark}`,
    creationInfo: { created, creators: ["Tool: tc-release"] },
    packages,
    relationships: packages.map(({ SPDXID }) => ({
      spdxElementId: "SPDXRef-DOCUMENT",
      relationshipType: "DESCRIBES",
      relatedSpdxElement: SPDXID,
    })),
  };
}

/** The formula with its blanks filled; throws where a checksum is missing. */
export function formula(
  template: string,
  sums: string,
  facts: { readonly version: string; readonly repository: string },
): string {
  const { version, repository } = facts;
  const checksums = new Map(
    sums.trim().split("\n").map((line) => {
      const [sum = "", name = ""] = line.split(/\s+\*?/);
      return [name.replace(/^tc-|\.tar\.gz$/g, ""), sum] as const;
    }),
  );
  const filled = template.replaceAll("@VERSION@", version)
    .replaceAll("@HOMEPAGE@", repository)
    .replaceAll("@DOWNLOAD@", `${repository}/releases/download/v${version}`)
    .replaceAll(/@SHA256:([\w-]+)@/g, (_, target: string) => {
      const sum = checksums.get(target);
      if (sum === undefined) throw new Error(`No checksum of ${target}`);
      return sum;
    });
  const blank = /@[A-Z0-9:_-]+@/.exec(filled)?.[0];
  if (blank !== undefined) throw new Error(`${blank} was left blank`);
  return filled;
}

/**
 * The raw Ed25519 signature of `sums` with a key in PKCS8 PEM. Throws where the
 * programs that are out there would not take it.
 */
export async function signed(
  sums: Uint8Array<ArrayBuffer>,
  pem: string,
  keys: readonly string[] = RELEASE_KEYS,
): Promise<Uint8Array<ArrayBuffer>> {
  const signature = new Uint8Array(sign(null, sums, createPrivateKey(pem)));
  if (await isSigned(sums, signature, keys)) return signature;
  throw new Error(
    "TC_RELEASE_KEY is none of the keys in src/release/release_keys.ts",
  );
}

async function writeSignature(): Promise<string> {
  const pem = Deno.env.get("TC_RELEASE_KEY");
  if (!pem) throw new Error("TC_RELEASE_KEY is not set");
  const sums = await Deno.readFile(join(ROOT, "dist/SHA256SUMS"));
  const file = "dist/SHA256SUMS.sig";
  await Deno.writeFile(join(ROOT, file), await signed(sums, pem));
  return `${file} is written`;
}

async function main([what, tag = ""]: readonly string[]): Promise<void> {
  check(tag);
  const { version } = config;
  const server = Deno.env.get("GITHUB_SERVER_URL") ?? "https://github.com";
  const repository = `${server}/${Deno.env.get("GITHUB_REPOSITORY") ?? ""}`;
  const texts: Readonly<Record<string, () => string | Promise<string>>> = {
    sign: writeSignature,
    check: () => `${tag} is consistent`,
    notes: () => notesOf(read("CHANGELOG.md"), version) ?? "",
    sbom: () =>
      JSON.stringify(
        sbom(JSON.parse(read("deno.lock")), version, new Date().toISOString()),
        null,
        2,
      ),
    formula: () =>
      formula(read(".github/release/tc.rb"), read("dist/SHA256SUMS"), {
        version,
        repository,
      }),
  };
  const make = texts[what ?? ""];
  if (make === undefined) {
    throw new Error("check, notes, sbom, formula or sign");
  }
  await Deno.stdout.write(new TextEncoder().encode(`${await make()}\n`));
}

if (import.meta.main) await main(Deno.args);
