import { strictEqual } from "node:assert/strict";
import { readAhead } from "../../src/proxy/read_ahead.ts";
import { errorBody } from "../fixtures/proxy_kit.ts";

for (const lineEnd of ["\n", "\r\n"]) {
  const name = JSON.stringify(lineEnd);
  Deno.test(`readAhead() waits for no more than an error event that ends its lines by ${name}`, async () => {
    const data = errorBody("overloaded_error");
    const text = `event: error\ndata: ${data}\n\n`.replaceAll("\n", lineEnd);
    const chunks = [new TextEncoder().encode(text)];
    let isAsked = false;
    const { status } = await readAhead({
      status: 200,
      headers: [["content-type", "text/event-stream"]],
      body: {
        complete: null,
        read: () => {
          const chunk = chunks.shift() ?? null;
          // A real one would stay open here, and be waited for.
          isAsked = chunk === null;
          return Promise.resolve(chunk);
        },
        cancel: () => {},
      },
    });
    strictEqual(status, 529);
    strictEqual(isAsked, false);
  });
}
