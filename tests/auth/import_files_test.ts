/** What the files of other tools hold, found and opened where they are. */

import { type Credential, RefreshToken } from "../../src/ports.ts";
import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { dirname, join } from "node:path";
import {
  importOf,
  type ImportPlaces,
  usualImports,
} from "../../src/auth/import/import_files.ts";
import { importOwners } from "../../src/auth/import/pool_owners.ts";
import type { ImportReading } from "../../src/auth/import/import_rows.ts";
import { claudeFolder } from "../../src/claude/claude_folder.ts";
import { FakeSecurity } from "../fixtures/fake_keychain.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

const EXPIRES = 1_900_000_000_000;
const MACHINE = { machineId: "0123456789abcdef", userName: "ada" };

function claudeLogin(mark: string): Record<string, unknown> {
  return {
    claudeAiOauth: {
      accessToken: `sk-ant-oat01-FAKE-${mark}`,
      refreshToken: `sk-ant-ort01-FAKE-${mark}`,
      expiresAt: EXPIRES,
      scopes: ["user:profile"],
      subscriptionType: "max",
      rateLimitTier: "default_claude_max_20x",
    },
    mcpOAuth: { kept: true },
  };
}

const BLANK = {
  claudeAiOauth: { accessToken: "", refreshToken: "", expiresAt: 0 },
};

interface Home extends AsyncDisposable {
  readonly folder: TempFolder;
  readonly places: ImportPlaces;
  readonly keychain: FakeSecurity;
  put(path: string, value: unknown): Promise<string>;
}

function home(
  system = "linux",
  variables: Readonly<Record<string, string>> = {},
): Home {
  const folder = new TempFolder();
  const keychain = new FakeSecurity();
  return {
    folder,
    keychain,
    places: {
      facts: {
        environment: { HOME: folder.path, USER: "ada", ...variables },
        system,
        userName: "ada",
      },
      runner: keychain,
      machine: () => Promise.resolve(MACHINE),
    },
    async put(path, value) {
      const file = folder.join(path);
      await Deno.mkdir(dirname(file), { recursive: true });
      await (value instanceof Uint8Array
        ? Deno.writeFile(file, value)
        : Deno.writeTextFile(
          file,
          typeof value === "string" ? value : JSON.stringify(value),
        ));
      return file;
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

function tokenOf(credential: Credential): string {
  return credential.kind === "oauth"
    ? RefreshToken.toStore(credential.refreshToken)
    : credential.token.reveal();
}

/** Each candidate as a line: name, kind, end of its token, family. */
function lines({ candidates }: ImportReading): readonly string[] {
  return candidates.map(({ name, credential, sharedWith }) =>
    [
      name ?? "-",
      credential.kind,
      tokenOf(credential).split("-").at(-1),
      sharedWith?.tool ?? "-",
    ].join(" ")
  );
}

Deno.test("usualImports() finds Claude Code's file, with its plan", async () => {
  await using at = home();
  await at.put(".claude/.credentials.json", claudeLogin("one"));
  const [reading, ...others] = await usualImports(at.places);
  deepStrictEqual(others, []);
  ok(reading !== undefined);
  deepStrictEqual(lines(reading), ["- oauth one claude_code"]);
  strictEqual(reading.candidates[0]?.tier, "max_20x");
  strictEqual(
    reading.candidates[0]?.sharedWith?.location,
    join(at.folder.path, ".claude", ".credentials.json"),
  );
});

Deno.test("usualImports() goes where CLAUDE_CONFIG_DIR points", async () => {
  await using at = home();
  await at.put(".claude/.credentials.json", claudeLogin("usual"));
  await at.put("elsewhere/.credentials.json", claudeLogin("named"));
  const { facts } = at.places;
  const readings = await usualImports({
    ...at.places,
    facts: {
      ...facts,
      environment: {
        ...facts.environment,
        CLAUDE_CONFIG_DIR: at.folder.join("elsewhere/"),
      },
    },
  });
  deepStrictEqual(readings.flatMap(lines), ["- oauth named claude_code"]);
});

Deno.test("usualImports() reads the macOS item of the right folder and user", async () => {
  await using at = home("darwin");
  const { facts } = at.places;
  const named = {
    ...facts,
    environment: { ...facts.environment, CLAUDE_CONFIG_DIR: "/Users/ada/work" },
  };
  const { login } = claudeFolder(named);
  ok(login.kind === "keychain");
  // sha256("/Users/ada/work"), by hand: printf … | sha256sum
  strictEqual(login.service, "Claude Code-credentials-8052b22c");
  at.keychain.put("Claude Code-credentials", "ada", claudeLogin("usual"));
  at.keychain.put(login.service, "ada", claudeLogin("named"));
  at.keychain.put("Claude Code-credentials", "unknown", { mcpOAuth: {} });
  deepStrictEqual((await usualImports(at.places)).flatMap(lines), [
    "- oauth usual claude_code",
  ]);
  deepStrictEqual(
    (await usualImports({ ...at.places, facts: named })).flatMap(lines),
    ["- oauth named claude_code"],
  );
  at.keychain.isLocked = true;
  const [locked] = await usualImports(at.places);
  deepStrictEqual(locked?.candidates, []);
  strictEqual(locked?.skipped.length, 1);
  ok(at.keychain.commandLines.every((line) => !line.includes("FAKE")));
});

Deno.test("importOf() reads a pool of teamclaude, links and half rows included", async () => {
  await using at = home();
  await at.put(".claude/.credentials.json", claudeLogin("linked"));
  const file = await at.put(".config/teamclaude.json", {
    proxy: { port: 3456, apiKey: "tc-x" },
    accounts: [
      {
        name: "one@example.test",
        type: "oauth",
        accountUuid: "u",
        orgUuid: "o",
        accessToken: "sk-ant-oat01-FAKE-one",
        refreshToken: "sk-ant-ort01-FAKE-one",
        expiresAt: EXPIRES / 1_000,
        priority: 2,
        disabled: true,
      },
      { name: "key", type: "apikey", apiKey: "sk-ant-api03-FAKE-key" },
      {
        name: "linked",
        type: "oauth",
        importFrom: "~/.claude/.credentials.json",
      },
      { name: "gone", type: "oauth", importFrom: "~/nowhere.json" },
      { name: "blank", accessToken: "", refreshToken: "", expiresAt: 0 },
      { name: "half", accessToken: "sk-ant-oat01-FAKE", refreshToken: "r" },
      {
        name: "other",
        apiKey: "some-other-key",
        upstream: "https://backend.example.test",
        modelMap: { opus: "big" },
      },
      "nonsense",
    ],
  });
  const reading = await importOf(file, at.places);
  strictEqual(reading.tool, "teamclaude");
  deepStrictEqual(lines(reading), [
    "one@example.test oauth one teamclaude",
    "key api_key key -",
    "other api_key key -",
    "linked oauth linked claude_code",
  ]);
  const [one] = reading.candidates;
  deepStrictEqual(one?.identity, { accountUuid: "u", organizationUuid: "o" });
  deepStrictEqual(one?.settings, {
    priority: 2,
    enabled: false,
    capUtilization: null,
    upstream: null,
    modelMap: null,
  });
  ok(one?.credential.kind === "oauth");
  strictEqual(one.credential.expiresAt, EXPIRES);
  deepStrictEqual(
    reading.skipped.map(({ name }) => name).sort(),
    ["account 8", "blank", "gone", "half"],
  );
});

Deno.test("importOf() tells maxpool and nextclaude by file or key", async () => {
  await using at = home();
  const accounts = [{
    name: "a",
    accessToken: "sk-ant-oat01-FAKE",
    refreshToken: "sk-ant-ort01-FAKE",
    expiresAt: EXPIRES,
    enabled: false,
    capUtilization: 0.8,
  }];
  const table = [
    ["maxpool.json", {}, "maxpool"],
    ["nextclaude.json", {}, "nextclaude"],
    ["x.json", { proxy: { apiKey: "mp-1" } }, "maxpool"],
    ["y.json", { proxy: { apiKey: "nc-1" } }, "nextclaude"],
    ["z.json", {}, "teamclaude"],
  ] as const;
  for (const [name, document, tool] of table) {
    const file = await at.put(name, { ...document, accounts });
    const reading = await importOf(file, at.places);
    strictEqual(reading.tool, tool, name);
    strictEqual(reading.candidates[0]?.sharedWith?.location, `${file}#a`);
    strictEqual(reading.candidates[0]?.settings.capUtilization, 0.8);
    strictEqual(reading.candidates[0]?.settings.enabled, false);
  }
});

/** As claude-pool seals: "CPL1", nonce, AES-256-GCM under an HKDF key. */
async function sealedPool(text: string): Promise<Uint8Array> {
  const encoder = new TextEncoder();
  const secret = encoder.encode("0123456789abcdef\0ada");
  const bits = await crypto.subtle.deriveBits(
    {
      name: "HKDF",
      hash: "SHA-256",
      salt: encoder.encode("claude-pool/store-salt/v1"),
      info: encoder.encode("claude-pool-store-v1"),
    },
    await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]),
    256,
  );
  const key = await crypto.subtle.importKey("raw", bits, "AES-GCM", false, [
    "encrypt",
  ]);
  const iv = new Uint8Array(12).fill(7);
  const sealed = await crypto.subtle.encrypt(
    { name: "AES-GCM", iv },
    key,
    encoder.encode(text),
  );
  return new Uint8Array([
    ...encoder.encode("CPL1"),
    ...iv,
    ...new Uint8Array(sealed),
  ]);
}

const POOL = {
  mode: "account",
  current: "ada",
  accounts: [
    { id: "ada", email: "ada@example.test", blob: claudeLogin("ada") },
    { id: "text", email: "", blob: JSON.stringify(claudeLogin("text")) },
    { id: "blank", email: "b@example.test", blob: BLANK },
  ],
  api_keys: [
    { id: "console", key: "sk-ant-api03-FAKE-console" },
    { id: "odd", key: "" },
  ],
};

Deno.test("usualImports() opens claude-pool's store, sealed or plain", async () => {
  for (const isSealed of [true, false]) {
    await using at = home();
    const text = JSON.stringify(POOL);
    const bytes = isSealed ? await sealedPool(text) : text;
    await at.put(".config/claude-pool/pool.json", bytes);
    const [reading] = await usualImports(at.places);
    ok(reading !== undefined);
    strictEqual(reading.tool, "claude_pool");
    deepStrictEqual(lines(reading), [
      "ada oauth ada claude_pool",
      "text oauth text claude_pool",
      "console api_key console -",
    ]);
    deepStrictEqual(reading.skipped.map(({ name }) => name), ["blank", "odd"]);
  }
});

Deno.test("importOf() tells a store of another machine from damage it cannot mend", async () => {
  await using at = home();
  const sealed = await sealedPool(JSON.stringify(POOL));
  const file = await at.put("pool.json", sealed);
  const stranger = {
    ...at.places,
    machine: () => Promise.resolve({ machineId: null, userName: "bob" }),
  };
  await rejects(importOf(file, stranger), { code: "pool_sealed" });
  const cut = await at.put("cut.json", sealed.slice(0, 20));
  await rejects(importOf(cut, at.places), { code: "pool_sealed" });
});

Deno.test("importOf() says what it cannot use", async () => {
  await using at = home();
  const table = [
    ["{}", "usage"],
    ['{"accounts": 5}', "usage"],
    ["[]", "bad_config"],
    ["not json", "bad_config"],
  ] as const;
  for (const [text, code] of table) {
    const file = await at.put("file.json", text);
    await rejects(importOf(file, at.places), { code }, text);
  }
  await rejects(importOf(at.folder.join("nowhere"), at.places), {
    code: "import_unreadable",
    exitCode: 65,
  });
  const folder = join(at.folder.path, ".claude");
  await at.put(".claude/.credentials.json", BLANK);
  const reading = await importOf(folder, at.places);
  deepStrictEqual(reading.candidates, []);
  strictEqual(reading.skipped.length, 1);
});

Deno.test("importOwners() reads the one account of a tool's file", async () => {
  await using at = home();
  const file = await at.put("teamclaude.json", {
    accounts: ["a", "b"].map((name) => ({
      name,
      accessToken: `sk-ant-oat01-FAKE-${name}`,
      refreshToken: `sk-ant-ort01-FAKE-${name}`,
      expiresAt: EXPIRES,
    })),
  });
  const owners = importOwners(
    { hold: () => Promise.resolve(null) },
    at.places,
  );
  const read = async (name: string) => {
    const location = `${file}#${name}`;
    const hold = await owners.hold({ tool: "teamclaude", location });
    strictEqual(hold?.handBack, null);
    return await hold.read();
  };
  const found = await read("b");
  ok(found.kind === "login");
  strictEqual(
    RefreshToken.toStore(found.credential.refreshToken),
    "sk-ant-ort01-FAKE-b",
  );
  strictEqual((await read("c")).kind, "none");
});
