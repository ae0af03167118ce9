/** Copies of conversations, and conversations that begin alike. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { ClaudeHome, testEachClaude } from "../fixtures/claude_code.ts";
import { MESSAGE } from "../fixtures/proxy_client.ts";
import { LOCAL_KEY, type ProxyKit } from "../fixtures/proxy_kit.ts";
import { Scene } from "../fixtures/proxy_scene.ts";

interface Turn {
  readonly role: "user" | "assistant";
  readonly content: unknown;
}

/** A history of so many turns of the user, its words made of `name`. */
function history(name: string, turns: number): readonly Turn[] {
  return Array.from({ length: 2 * turns - 1 }, (_, index) => ({
    role: index % 2 === 0 ? "user" : "assistant",
    content: index === 0 ? "Begin." : `${name} ${index}`,
  }));
}

async function send(
  kit: ProxyKit,
  messages: readonly Turn[],
  session: string | null,
  account: string | null = null,
): Promise<void> {
  const response = await fetch(`${kit.url}/v1/messages`, {
    method: "POST",
    headers: {
      "x-api-key": LOCAL_KEY,
      ...(session === null ? {} : { "x-claude-code-session-id": session }),
      ...(account === null ? {} : { "x-tc-account": account }),
    },
    body: JSON.stringify({
      model: "claude-opus-5-5",
      tools: [{ name: "Bash", input_schema: {} }],
      system: SYSTEM,
      messages,
    }),
  });
  strictEqual(response.status, 200, await response.text());
}

/** As long as the answers say that the prompt is. */
const SYSTEM = "x".repeat(240_000);

/** Every answer says that its prompt has 60,000 tokens. */
function large(scene: Scene): void {
  scene.origin.always({
    headers: [["content-type", "application/json"]],
    body: MESSAGE.replace('"input_tokens":25', '"input_tokens":60000'),
  });
}

function sessionId(number: number): string {
  return `99999999-0000-4000-8000-${String(number).padStart(12, "0")}`;
}

Deno.test("copies of conversations under new ids go to the account that has the original's cache", async () => {
  await using scene = new Scene();
  const { kit } = scene;
  large(scene);
  const homes: string[] = [];
  for (let number = 0; number < 4; number++) {
    const home = ["a", "b", "c", "b"][number] ?? "a";
    for (const turns of [2, 3]) {
      const past = history(`work ${number}`, turns);
      await send(kit, past, sessionId(number), home);
    }
    homes.push(home);
  }
  const cold: string[] = [];
  for (let copy = 1; copy <= 3; copy++) {
    for (let number = 0; number < 4; number++) {
      const prompt: Turn = { role: "user", content: `and copy ${copy}` };
      const past = history(`work ${number}`, 3);
      const answer: Turn = { role: "assistant", content: "done" };
      await send(
        kit,
        [...past, answer, prompt],
        sessionId(100 * copy + number),
      );
      if (scene.asked.at(-1) !== homes[number]) cold.push(`${number}.${copy}`);
    }
  }
  deepStrictEqual(cold, []);
  strictEqual(kit.keeper.state.bindings.size, 16);
  await kit.isEmpty();
});

Deno.test("a saved transcript that continues without an id finds its account", async () => {
  await using scene = new Scene();
  const { kit } = scene;
  large(scene);
  await send(kit, history("named", 3), sessionId(1));
  const home = scene.asked.at(-1);
  await send(kit, history("other", 3), sessionId(2));
  await send(kit, history("named", 4), null);
  strictEqual(scene.asked.at(-1), home);
  await kit.isEmpty();
});

Deno.test("workers that begin alike and continue differently are separate conversations", async () => {
  await using scene = new Scene();
  const { kit } = scene;
  large(scene);
  const names = ["one", "two", "three", "four", "five", "six"];
  for (const name of names) await send(kit, history(name, 1), null);
  for (let turns = 2; turns < 5; turns++) {
    for (const name of names) await send(kit, history(name, turns), null);
  }
  strictEqual(kit.keeper.state.bindings.size, 6);
  const placed = kit.records.slice(-6);
  strictEqual(new Set(placed.map(({ conversation }) => conversation)).size, 6);
  for (const [index, { conversation, accountId }] of placed.entries()) {
    const earlier = kit.records.filter((record) =>
      record.conversation === conversation
    );
    ok(earlier.length >= 3, names[index]);
    deepStrictEqual(
      new Set(earlier.slice(1).map((record) => record.accountId)),
      new Set([accountId]),
      "it left its account",
    );
  }
  await kit.isEmpty();
});

Deno.test("a conversation without an id that summarises its past stays on its account", async () => {
  await using scene = new Scene();
  const { kit } = scene;
  large(scene);
  const long = (words: string): string => `${words} `.repeat(20);
  const names = ["one", "two", "three"];
  const pasts = names.map((name) =>
    history(long(name), 4).map((turn, index) =>
      index === 0 ? { ...turn, content: `Begin ${name}.` } : turn
    )
  );
  for (const turns of [1, 2, 3, 4]) {
    for (const past of pasts) {
      await send(kit, past.slice(0, 2 * turns - 1), null);
    }
  }
  const before = kit.records.slice(-3);
  for (const [index, past] of pasts.entries()) {
    const summary: Turn = { role: "user", content: `So far: ${names[index]}.` };
    const answer: Turn = { role: "assistant", content: long(`then ${index}`) };
    const next: Turn = { role: "user", content: "Go on." };
    await send(kit, [summary, ...past.slice(-2), answer, next], null);
  }
  const after = kit.records.slice(-3);
  deepStrictEqual(
    after.map(({ conversation, accountId }) => [conversation, accountId]),
    before.map(({ conversation, accountId }) => [conversation, accountId]),
  );
  strictEqual(kit.keeper.state.bindings.size, 3);
  // The shortened history is known from now on, and short words tell nothing.
  const ok: Turn = { role: "assistant", content: "Done." };
  const on: Turn = { role: "user", content: "Next." };
  for (const name of ["four", "five"]) {
    const begun: Turn = { role: "user", content: `Begin ${name}.` };
    await send(kit, [begun, ok, on], null);
  }
  strictEqual(kit.keeper.state.bindings.size, 5);
  await kit.isEmpty();
});

testEachClaude(
  "a session that is forked goes where its parent's cache is",
  async (version) => {
    await using scene = new Scene();
    await using claude = await ClaudeHome.make(version);
    const { kit } = scene;
    const env = {
      ANTHROPIC_BASE_URL: kit.url,
      ANTHROPIC_AUTH_TOKEN: LOCAL_KEY,
    };
    const run = async (...words: readonly string[]): Promise<void> => {
      const { code, stdout, stderr } = await claude.run(
        ["-p", "say hi", ...words],
        env,
      );
      strictEqual(code, 0, `${stdout}${stderr}`);
    };
    await run();
    await run("--continue");
    const home = kit.records.at(-1);
    await run("--continue", "--fork-session");
    const fork = kit.records.at(-1);
    ok(fork?.session !== home?.session, "it has the id of its parent");
    strictEqual(fork?.accountId, home?.accountId);
  },
);
