import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { helperOf } from "../../src/claude/api_key_helper.ts";
import { type AutoOptions, autoSwap } from "../../src/swap/auto_swap.ts";
import {
  enterKeyMode,
  leaveKeyMode,
  nextKey,
} from "../../src/swap/key_mode.ts";
import { swapStatus } from "../../src/swap/auto_swap.ts";
import { useAccount } from "../../src/swap/use_account.ts";
import { demoEntry, SwapKit } from "../fixtures/swap_kit.ts";
import { idOf } from "../fixtures/vault_kit.ts";
import { canLinkFiles } from "../fixtures/file_abilities.ts";

const FULL: AutoOptions = { threshold: null, isAfterLimit: false };
const AFTER_LIMIT: AutoOptions = { threshold: null, isAfterLimit: true };
const IF_NEEDED: AutoOptions = { threshold: 0.9, isAfterLimit: false };

function polls(kit: SwapKit): readonly (string | null)[] {
  return kit.api.requests("/api/oauth/usage").map(({ account }) => account);
}

function helper(text: string | null): string | null {
  return text === null ? null : helperOf(JSON.parse(text));
}

Deno.test("autoSwap() takes the account whose fuller window is emptiest", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work", "home", "spare");
  kit.api.account("work").windows({ "5h": 0.2, "7d": 0.9 });
  kit.api.account("home").windows({ "5h": 0.5, "7d": 0.4 });
  kit.api.account("spare").windows({ "5h": 0.7, "7d": 0.1 });
  const result = await autoSwap(FULL, kit.ports);
  strictEqual(result.kind === "swapped" && result.label, "home");
  strictEqual(await kit.liveToken(), kit.api.account("home").token());
  deepStrictEqual([...polls(kit)].sort(), ["home", "spare", "work"]);
});

Deno.test("autoSwap() does not flip for a small difference", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work", "home");
  await useAccount(idOf("work"), kit.ports);
  kit.api.account("work").windows({ "5h": 0.84 });
  kit.api.account("home").windows({ "5h": 0.8 });
  strictEqual((await autoSwap(FULL, kit.ports)).kind, "kept");
  kit.api.account("home").windows({ "5h": 0.78 });
  strictEqual((await autoSwap(FULL, kit.ports)).kind, "swapped");
});

Deno.test("autoSwap() --if-needed asks for the account in use alone", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work", "home");
  await useAccount(idOf("work"), kit.ports);
  kit.api.account("work").windows({ "5h": 0.89 });
  strictEqual((await autoSwap(IF_NEEDED, kit.ports)).kind, "kept");
  deepStrictEqual(polls(kit), ["work"]);
  kit.api.account("work").windows({ "5h": 0.91 });
  const result = await autoSwap(IF_NEEDED, kit.ports);
  strictEqual(result.kind === "swapped" && result.label, "home");
});

Deno.test("autoSwap() after a refused turn leaves the account though it looks free", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work", "home");
  await useAccount(idOf("work"), kit.ports);
  kit.api.account("work").windows({ "5h": 0.3 });
  kit.api.account("home").windows({ "5h": 0.6 });
  strictEqual((await autoSwap(FULL, kit.ports)).kind, "kept");
  const result = await autoSwap(AFTER_LIMIT, kit.ports);
  strictEqual(result.kind === "swapped" && result.label, "home");
  // A second session's hook of the same moment does not swap it away again.
  strictEqual((await autoSwap(AFTER_LIMIT, kit.ports)).kind, "kept");
});

Deno.test("autoSwap() treats errors as unknown usage, not as used up", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work", "home");
  await kit.addKey("key");
  await useAccount(idOf("work"), kit.ports);
  kit.api.account("work").windows({ "5h": 1 });
  for (const name of ["work", "home"]) kit.api.nextUsage(name).overload();
  const none = await autoSwap(FULL, kit.ports);
  strictEqual(none.kind, "unknown");
  kit.api.nextUsage("work").overload();
  const result = await autoSwap(FULL, kit.ports);
  strictEqual(result.kind === "swapped" && result.label, "home");
  strictEqual((await kit.ports.memory.load()).mode, "account");
});

Deno.test("autoSwap() switches to keys when all accounts are used up, and back", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work", "home");
  await kit.addKey("one");
  await kit.addKey("two");
  await useAccount(idOf("work"), kit.ports);
  const { settingsFile } = kit.ports.folder;
  const foreign = `{
  // mine
  "model": "opus",
  "apiKeyHelper": "/usr/local/bin/vault-key --team",
  "env": { "A": "1" }
}
`;
  kit.write(settingsFile, foreign);
  for (const name of ["work", "home"]) {
    kit.api.account(name).windows({ "5h": 1 }).resetIn("5h", 3_600_000);
  }
  const result = await autoSwap(FULL, kit.ports);
  ok(result.kind === "keys" && result.wakeAt !== null);
  const inSeconds = (result.wakeAt - Date.now()) / 1_000;
  ok(inSeconds > 3_500 && inSeconds < 3_700, String(inSeconds));
  strictEqual(
    await kit.settings(),
    foreign.replace("/usr/local/bin/vault-key --team", "/opt/tc swap helper"),
  );
  const keys = [await nextKey(kit.ports), await nextKey(kit.ports)]
    .map((key) => key.reveal());
  deepStrictEqual(
    keys.toSorted(),
    ["one", "two"].map((name) => kit.api.account(name).token()).toSorted(),
  );
  strictEqual((await nextKey(kit.ports)).reveal(), keys[0]);

  const status = swapStatus(
    await kit.ports.memory.load(),
    await kit.ports.accounts(),
    kit.ports.clock.now(),
  );
  strictEqual(status.mode, "apikey");
  ok((status.reset_in_seconds ?? 0) > 3_400);

  // Nobody is asked while it is certain that all are spent.
  const asked = polls(kit).length;
  strictEqual((await autoSwap(FULL, kit.ports)).kind, "keys");
  strictEqual(polls(kit).length, asked);

  kit.api.account("home").windows({ "5h": 0.1 });
  const memory = await kit.ports.memory.update((state) => ({
    ...state,
    usage: {},
  }));
  strictEqual(memory.mode, "apikey");
  const back = await autoSwap(FULL, kit.ports);
  strictEqual(back.kind === "swapped" && back.label, "home");
  strictEqual(await kit.settings(), foreign);
  strictEqual((await kit.ports.memory.load()).savedHelper, null);
});

Deno.test("autoSwap() without keys says until when all accounts are used up", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work", "home");
  kit.api.account("work").windows({ "5h": 1 }).resetIn("5h", 7_200_000);
  kit.api.account("home").windows({ "7d": 1 }).resetIn("7d", 3_600_000);
  const result = await autoSwap(FULL, kit.ports);
  ok(result.kind === "spent" && result.until !== null);
  ok(result.until - Date.now() < 3_700_000);
});

Deno.test("autoSwap() of an empty pool does nothing", async () => {
  await using kit = await SwapKit.make();
  strictEqual((await autoSwap(FULL, kit.ports)).kind, "empty");
  strictEqual(await kit.settings(), null);
});

Deno.test("a program that is not called tc removes its own helper", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work", "home");
  await kit.addKey("one");
  const ports = { ...kit.ports, helper: "/opt/pool swap helper" };
  kit.write(ports.folder.settingsFile, `{"apiKeyHelper":"/bin/vault-key"}`);
  for (const name of ["work", "home"]) {
    kit.api.account(name).windows({ "5h": 1 }).resetIn("5h", 3_600_000);
  }
  for (let run = 0; run < 2; run++) {
    strictEqual((await autoSwap(FULL, ports)).kind, "keys");
    strictEqual(helper(await kit.settings()), ports.helper);
  }
  await useAccount(idOf("work"), ports);
  strictEqual(helper(await kit.settings()), "/bin/vault-key");
});

Deno.test("a helper deleted by hand is respected", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work");
  await kit.addKey("key");
  await enterKeyMode(kit.ports);
  kit.write(kit.ports.folder.settingsFile, `{"model":"opus"}`);
  await autoSwap(FULL, kit.ports);
  strictEqual(helper(await kit.settings()), null);
  strictEqual((await kit.ports.memory.load()).mode, "account");
});

Deno.test("a helper that a person put in place of tc's stays", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work");
  await kit.addKey("key");
  kit.write(kit.ports.folder.settingsFile, `{"apiKeyHelper":"old"}`);
  await enterKeyMode(kit.ports);
  kit.write(kit.ports.folder.settingsFile, `{"apiKeyHelper":"new"}`);
  await leaveKeyMode(kit.ports);
  strictEqual(helper(await kit.settings()), "new");
});

Deno.test("settings that are not JSON stay as they are, and so does the mode", async () => {
  await using kit = await SwapKit.make();
  await kit.addKey("key");
  kit.write(kit.ports.folder.settingsFile, `{"model": `);
  await rejects(enterKeyMode(kit.ports), { code: "bad_config" });
  strictEqual(await kit.settings(), `{"model": `);
  strictEqual((await kit.ports.memory.load()).mode, "account");
});

Deno.test("settings that are not JSON do not prevent a swap", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work");
  kit.write(kit.ports.folder.settingsFile, `{"model": `);
  strictEqual((await autoSwap(FULL, kit.ports)).kind, "swapped");
  strictEqual(await kit.settings(), `{"model": `);
});

Deno.test({
  name: "settings behind a link keep the link",
  ignore: !await canLinkFiles(),
  fn: keepsLink,
});

async function keepsLink(): Promise<void> {
  await using kit = await SwapKit.make();
  const target = kit.home.join("dotfiles.json");
  await Deno.writeTextFile(target, `{"model":"opus"}`);
  await Deno.mkdir(kit.home.join(".claude"));
  await Deno.symlink(target, kit.ports.folder.settingsFile);
  await enterKeyMode(kit.ports);
  ok((await Deno.lstat(kit.ports.folder.settingsFile)).isSymlink);
  strictEqual(
    helper(await Deno.readTextFile(target)),
    "/opt/tc swap helper",
  );
}

Deno.test("sessions that meet a limit together swap once", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work", "home", "spare");
  await useAccount(idOf("work"), kit.ports);
  const results = await Promise.all(
    Array.from({ length: 6 }, () => autoSwap(AFTER_LIMIT, kit.ports)),
  );
  const swapped = results.filter(({ kind }) => kind === "swapped");
  strictEqual(swapped.length, 1, JSON.stringify(results));
  ok(await kit.liveToken() !== kit.api.account("work").token());
});

Deno.test("autoSwap() updates a login that the vault has renewed", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work", "home");
  await useAccount(idOf("work"), kit.ports);
  const before = await kit.liveToken();
  // Another program's renewal of the same account, with a life of its own.
  kit.api.account("work").login();
  await kit.ports.vault.put({
    ...demoEntry(kit.api.account("work")),
    savedAt: kit.ports.clock.now(),
  });
  await autoSwap(FULL, kit.ports);
  const after = await kit.liveToken();
  ok(after !== before);
  strictEqual(after, kit.api.account("work").token());
});
