/** Whatever happens in whatever order, no login and no helper is lost. */

import { ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { helperOf, isOurHelper } from "../../src/claude/api_key_helper.ts";
import { instantFromMs } from "../../src/core/time.ts";
import type { WriteStep } from "../../src/store/files/atomic.ts";
import { parseConfig } from "../../src/store/config_file.ts";
import { autoSwap } from "../../src/swap/auto_swap.ts";
import {
  enterKeyMode,
  leaveKeyMode,
  reconcile,
} from "../../src/swap/key_mode.ts";
import { useAccount } from "../../src/swap/use_account.ts";
import { currentAccount, loginText, SwapKit } from "../fixtures/swap_kit.ts";
import { trials } from "../fixtures/trials.ts";
import { idOf } from "../fixtures/vault_kit.ts";
import { HAS_MODES } from "../fixtures/file_abilities.ts";

const NAMES = ["work", "home", "spare"] as const;
const STEPS: readonly WriteStep[] = [
  "opened",
  "written",
  "synced",
  "renamed",
  "folder_synced",
];
const OTHERS = 0o077;
const OTHERS_WRITE = 0o022;

type Act =
  | { readonly kind: "use" | "expire" | "login"; readonly name: string }
  | { readonly kind: "auto"; readonly used: readonly number[] }
  | { readonly kind: "helper"; readonly helper: string | null }
  | { readonly kind: "edit"; readonly key: string }
  | { readonly kind: "crash"; readonly step: WriteStep; readonly skip: number }
  | {
    readonly kind:
      | "client_renews"
      | "client_expires"
      | "client_blanks"
      | "harvest"
      | "enter_keys"
      | "leave_keys"
      | "reconcile";
  };

const name = fc.constantFrom(...NAMES);
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("use" as const), name }),
  },
  fc.record({ kind: fc.constant("expire" as const), name }),
  fc.record({ kind: fc.constant("login" as const), name }),
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("auto" as const),
      used: fc.array(fc.constantFrom(0, 0.5, 0.9, 1), {
        minLength: 3,
        maxLength: 3,
      }),
    }),
  },
  fc.record({
    kind: fc.constant("helper" as const),
    helper: fc.constantFrom(null, "/usr/bin/mine", "vault read key"),
  }),
  fc.record({
    kind: fc.constant("edit" as const),
    key: fc.constantFrom("model", "theme"),
  }),
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("crash" as const),
      step: fc.constantFrom(...STEPS),
      skip: fc.nat(3),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        "client_renews" as const,
        "client_renews" as const,
        "client_expires" as const,
        "client_blanks" as const,
        "harvest" as const,
        "enter_keys" as const,
        "leave_keys" as const,
        "reconcile" as const,
      ),
    }),
  },
);

/** Fails one write at one step, as a full disk or a killed process does. */
class Crash {
  #left: { readonly step: WriteStep; skip: number } | null = null;

  plan(step: WriteStep, skip: number): void {
    this.#left = { step, skip };
  }

  readonly onStep = (step: WriteStep): void => {
    if (this.#left?.step !== step) return;
    if (this.#left.skip-- > 0) return;
    this.#left = null;
    throw new Error(`crash when ${step}`);
  };

  clear(): void {
    this.#left = null;
  }
}

class World {
  readonly kit: SwapKit;
  readonly #crash: Crash;
  /** What a person last wrote as the helper. */
  foreign: string | null = null;

  constructor(kit: SwapKit, crash: Crash) {
    this.kit = kit;
    this.#crash = crash;
  }

  async do(act: Act): Promise<void> {
    const { ports, api } = this.kit;
    switch (act.kind) {
      case "use":
        await useAccount(idOf(act.name), ports);
        return;
      case "auto": {
        NAMES.forEach((name, index) => {
          api.account(name).windows({ "5h": act.used[index] ?? 0 });
        });
        await autoSwap({ threshold: null, isAfterLimit: false }, ports);
        return;
      }
      case "expire":
        return await this.#expire(act.name);
      case "crash":
        return this.#crash.plan(act.step, act.skip);
      case "harvest":
        await currentAccount(ports);
        return;
      case "enter_keys":
        return await enterKeyMode(ports);
      case "leave_keys":
        return await leaveKeyMode(ports);
      case "reconcile":
        await reconcile(ports, true);
        return;
      case "helper":
        return await this.#writeHelper(act.helper);
      case "edit":
        return await this.#editSettings(act.key);
      default:
        return await this.#client(act);
    }
  }

  /** The client's own doings; it does not know of us. */
  async #client(act: Act): Promise<void> {
    const { ports, api } = this.kit;
    const { reading } = await ports.place.read();
    if (act.kind === "login") {
      await currentAccount(ports);
      api.account(act.name).login();
      this.#writeLogin(loginText(api.account(act.name)));
      await currentAccount(ports);
      return;
    }
    if (reading.kind !== "found") return;
    const login = JSON.parse(
      await ports.texts.read(this.#credentials()) ?? "{}",
    );
    switch (act.kind) {
      case "client_renews": {
        const response = await fetch(api.endpoints.token, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({
            grant_type: "refresh_token",
            refresh_token: login.claudeAiOauth.refreshToken,
            client_id: ports.provider.clientId,
          }),
        });
        const answer = await response.json();
        strictEqual(response.status, 200, "the client was logged out");
        login.claudeAiOauth.accessToken = answer.access_token;
        login.claudeAiOauth.refreshToken = answer.refresh_token;
        login.claudeAiOauth.expiresAt = Date.now() + answer.expires_in * 1_000;
        break;
      }
      case "client_expires":
        login.claudeAiOauth.expiresAt = 1;
        break;
      case "client_blanks":
        // A log-out; what it held was taken over before.
        await currentAccount(ports);
        login.claudeAiOauth = {
          accessToken: "",
          refreshToken: "",
          expiresAt: 0,
        };
        break;
    }
    this.#writeLogin(JSON.stringify(login));
  }

  async #expire(name: string): Promise<void> {
    await this.kit.ports.vault.update(
      idOf(name),
      (entry) =>
        entry.credential.kind === "oauth"
          ? {
            ...entry,
            credential: { ...entry.credential, expiresAt: instantFromMs(1) },
          }
          : entry,
    );
  }

  async #writeHelper(helper: string | null): Promise<void> {
    const document = await this.settings();
    const { apiKeyHelper: live, ...rest } = document;
    const isOurs = typeof live === "string" &&
      isOurHelper(live, this.kit.ports.helper);
    if (helper === null) {
      // Who deletes ours wants theirs back, if there was one.
      if (!isOurs) this.foreign = null;
    } else this.foreign = helper;
    const next = helper === null ? rest : { ...rest, apiKeyHelper: helper };
    this.kit.write(
      this.kit.ports.folder.settingsFile,
      JSON.stringify(next, null, 2),
    );
  }

  async #editSettings(key: string): Promise<void> {
    const document = { ...await this.settings(), [key]: Math.random() };
    this.kit.write(
      this.kit.ports.folder.settingsFile,
      `// by hand\n${JSON.stringify(document, null, 2)}\n`,
    );
  }

  async settings(): Promise<Readonly<Record<string, unknown>>> {
    const { settingsFile } = this.kit.ports.folder;
    const text = await this.kit.settings();
    return text === null ? {} : parseConfig(text, settingsFile);
  }

  /** What holds at every moment, crash or not. */
  async check(): Promise<void> {
    const { memory, folder } = this.kit.ports;
    const live = helperOf(await this.settings());
    const { savedHelper } = await memory.load();
    const isKept = this.foreign === null || live === this.foreign ||
      savedHelper === this.foreign;
    ok(isKept, `helper ${this.foreign} is lost: ${live}, ${savedHelper}`);
    await assertPrivate(this.kit.home.join("vault"));
    await assertPrivate(folder.folder);
  }

  /** Every account can still be had and still be renewed. */
  async checkAll(): Promise<void> {
    this.#crash.clear();
    const { ports, api } = this.kit;
    await currentAccount(ports);
    for (const name of NAMES) {
      await useAccount(idOf(name), ports);
      const { ok: isServed } = await fetch(`${api.url}/api/oauth/profile`, {
        headers: { authorization: `Bearer ${await this.kit.liveToken()}` },
      }).then(async (response) => {
        await response.body?.cancel();
        return response;
      });
      ok(isServed, `${name} is lost`);
      await this.#client({ kind: "client_renews" });
      await currentAccount(ports);
    }
    strictEqual(api.families().reuses, 0, "a token was spent twice");
    await leaveKeyMode(ports);
    strictEqual(helperOf(await this.settings()), this.foreign);
    strictEqual((await ports.memory.load()).savedHelper, null);
  }

  #writeLogin(text: string): void {
    this.kit.write(this.#credentials(), text);
  }

  #credentials(): string {
    return this.kit.home.join(".claude", ".credentials.json");
  }
}

async function assertPrivate(folder: string): Promise<void> {
  if (!HAS_MODES) return;
  const entries = await Array.fromAsync(Deno.readDir(folder)).catch(() => []);
  for (const entry of entries) {
    const path = `${folder}/${entry.name}`;
    const { mode } = await Deno.stat(path);
    const forbidden = entry.isDirectory ? OTHERS_WRITE : OTHERS;
    strictEqual((mode ?? 0) & forbidden, 0, path);
    if (entry.isDirectory) await assertPrivate(path);
  }
}

/** A crash is no failure of the test; everything else that is thrown is. */
function isExpected(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause.message.startsWith("crash when")) return true;
  }
  return false;
}

Deno.test("no sequence of swaps, renewals, edits and crashes loses anything", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(act, { minLength: 3, maxLength: 14 }),
      async (acts) => {
        const crash = new Crash();
        await using kit = await SwapKit.make({ onStep: crash.onStep });
        await kit.add(...NAMES);
        await kit.addKey("key");
        const world = new World(kit, crash);
        for (const act of acts) {
          try {
            await world.do(act);
          } catch (error) {
            if (!isExpected(error)) throw error;
            // What is started next finds what the crash left.
            await reconcile(kit.ports, true);
          }
          await world.check();
        }
        await world.checkAll();
      },
    ),
    { numRuns: trials(50, 1_000), endOnFailure: false },
  );
});
