import { strictEqual } from "node:assert/strict";
import { answerBytes, type OriginAnswer } from "../fixtures/origin_answer.ts";
import { ask, EVENTS, STREAM } from "../fixtures/proxy_client.ts";
import { errorBody } from "../fixtures/proxy_kit.ts";
import { Scene } from "../fixtures/proxy_scene.ts";

for (const lineEnd of ["\n", "\r\n"]) {
  const name = JSON.stringify(lineEnd);
  Deno.test(`an error event that ends its lines by ${name} is judged at once, though its stream stays open`, async () => {
    await using scene = new Scene({ hold: { silentMs: 10_000 } });
    const { kit, origin } = scene;
    const data = errorBody("overloaded_error");
    const answer: OriginAnswer = {
      ...STREAM,
      body: `event: error\ndata: ${data}\n\n`.replaceAll("\n", lineEnd),
      framing: "close",
    };
    origin.next({ ...answer, stallAt: answerBytes(answer).length });
    const response = await ask(kit, {
      isStream: true,
      signal: AbortSignal.timeout(20_000),
    });
    strictEqual(await response.text(), EVENTS);
    strictEqual(kit.records[0]?.attempts[0]?.status, 200);
    strictEqual(kit.records[0]?.attempts[0]?.verdict, "overloaded");
    await kit.isEmpty();
  });
}
