/** Conversations without tools keep their cache as those with tools do. */

import {
  deepStrictEqual,
  notStrictEqual,
  ok,
  strictEqual,
} from "node:assert/strict";
import { makeDear, Scene } from "../fixtures/proxy_scene.ts";
import { MESSAGE } from "../fixtures/proxy_client.ts";
import { LOCAL_KEY, type ProxyKit } from "../fixtures/proxy_kit.ts";

const SESSION = "88888888-0000-4000-8000-000000000001";

interface Chat {
  readonly session?: string;
  readonly system?: string;
  readonly turns: number;
  readonly words?: string;
}

/** One request of an SDK's chat, with `turns` user turns in its history. */
async function chat(kit: ProxyKit, { session, system, turns, words }: Chat) {
  const messages = Array.from({ length: 2 * turns - 1 }, (_, index) => ({
    role: index % 2 === 0 ? "user" : "assistant",
    content: `${words ?? "a chat"}, part ${index}`,
  }));
  const response = await fetch(`${kit.url}/v1/messages`, {
    method: "POST",
    headers: {
      "x-api-key": LOCAL_KEY,
      ...(session === undefined ? {} : { "x-tc-session": session }),
    },
    body: JSON.stringify({
      model: "claude-opus-5-5",
      max_tokens: 100,
      ...(system === undefined ? {} : { system }),
      messages,
    }),
  });
  strictEqual(response.status, 200, await response.text());
}

/** Every answer says that its prompt has 60,000 tokens. */
function large(scene: Scene): void {
  scene.origin.always({
    headers: [["content-type", "application/json"]],
    body: MESSAGE.replace('"input_tokens":25', '"input_tokens":60000'),
  });
}

for (const session of [undefined, SESSION]) {
  Deno.test(`a chat that grows stays where its cache is (session: ${session !== undefined})`, async () => {
    await using scene = new Scene();
    const { kit } = scene;
    large(scene);
    const one = { system: "You are terse.", ...(session ? { session } : {}) };
    await chat(kit, { ...one, turns: 2 });
    const home = scene.asked[0] ?? "";
    for (let turns = 3; turns < 7; turns++) {
      makeDear(kit, home);
      await chat(kit, { ...one, turns });
    }
    deepStrictEqual(new Set(scene.asked), new Set([home]));
    strictEqual(kit.records.at(-1)?.reason, "bound");
    strictEqual(kit.records.at(-1)?.isSide, false);
    // A short request of one turn has no cache to stay for.
    makeDear(kit, home);
    await chat(kit, { ...one, turns: 1, words: "a title" });
    notStrictEqual(scene.asked.at(-1), home);
    await kit.isEmpty();
  });
}

Deno.test("one session's chats with different system texts are different conversations", async () => {
  await using scene = new Scene();
  const { kit } = scene;
  large(scene);
  for (const system of ["You translate.", "You summarise."]) {
    await chat(kit, { session: SESSION, system, turns: 3 });
  }
  const bound = [...kit.keeper.state.bindings.keys()];
  strictEqual(bound.length, 2);
  for (const id of bound) ok(id.startsWith(`${SESSION}~`), id);
  await kit.isEmpty();
});
