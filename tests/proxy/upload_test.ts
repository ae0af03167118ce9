/** Files and batches that are larger than a message may be. */

import { ok, strictEqual } from "node:assert/strict";
import { digest } from "../../src/demo/dice.ts";
import { errorBody, LOCAL_KEY } from "../fixtures/proxy_kit.ts";
import { Scene } from "../fixtures/proxy_scene.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { until } from "../fixtures/upstream_client.ts";

const MEGABYTE = 1024 * 1024;
const SIZE = 40 * MEGABYTE;
const FILE = '{"id":"file_011Large00","type":"file"}';

function content(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(SIZE);
  for (let at = 0; at < SIZE; at += 4_096) bytes[at] = at / 4_096 % 251;
  return bytes;
}

function scripted(scene: Scene): void {
  scene.origin.always({
    headers: [["content-type", "application/json"]],
    body: FILE,
  });
}

function post(
  scene: Scene,
  path: string,
  body: BodyInit,
  signal?: AbortSignal,
): Promise<Response> {
  return fetch(`${scene.kit.url}${path}`, {
    method: "POST",
    headers: { "x-api-key": LOCAL_KEY },
    body,
    ...(signal === undefined ? {} : { signal }),
  });
}

for (const path of ["/v1/files", "/v1/messages/batches"]) {
  for (const form of ["length", "chunks"]) {
    Deno.test(`a large body to ${path} goes through as it is (${form})`, async () => {
      await using scene = new Scene();
      scripted(scene);
      const bytes = content();
      const stream = new Blob([bytes]).stream();
      const response = await post(
        scene,
        path,
        form === "length" ? bytes : stream,
      );
      strictEqual(response.status, 200);
      strictEqual(await response.text(), FILE);
      const [sent] = scene.origin.requests();
      strictEqual(sent?.body.length, SIZE);
      strictEqual(sent?.bodySha256, digest([bytes]));
      const { owned } = scene.kit.keeper.state;
      strictEqual(owned.get("file_011Large00")?.accountId, scene.asked[0]);
      await scene.kit.isEmpty();
    });
  }
}

Deno.test("a message is not larger than a message may be, a file not than a file", async () => {
  await using scene = new Scene({ bodyBytesMax: MEGABYTE });
  scripted(scene);
  const tooLarge = await post(scene, "/v1/messages", content());
  strictEqual(tooLarge.status, 413);
  await tooLarge.body?.cancel();
  // The head alone tells.
  using conn = await Deno.connect({
    hostname: "127.0.0.1",
    port: scene.kit.port,
  });
  await conn.write(new TextEncoder().encode(
    `POST /v1/files HTTP/1.1\r\nhost: 127.0.0.1:${scene.kit.port}\r\n` +
      `x-api-key: ${LOCAL_KEY}\r\ncontent-length: ${501 * MEGABYTE}\r\n\r\n`,
  ));
  const answer = new Uint8Array(64);
  await conn.read(answer);
  ok(new TextDecoder().decode(answer).startsWith("HTTP/1.1 413"));
  strictEqual(scene.origin.requests().length, 0);
});

Deno.test("a refusal that comes before the end of an upload is relayed, and not tried again", async () => {
  await using scene = new Scene();
  const refusal = errorBody("invalid_request_error", "too many files");
  scene.origin.always({
    status: 400,
    isEarly: true,
    headers: [["content-type", "application/json"]],
    body: refusal,
  });
  const response = await post(scene, "/v1/files", content()).catch(() => null);
  // A client that still sends may see the reset first, as it does directly.
  if (response !== null) {
    strictEqual(response.status, 400);
    strictEqual(await response.text(), refusal);
  }
  strictEqual(scene.origin.requests().length, 1);
  await scene.kit.isEmpty();
});

Deno.test("a client that leaves in the middle of an upload frees everything", async () => {
  await using scene = new Scene();
  scripted(scene);
  const leaving = new AbortController();
  let isPulled = false;
  const slow = new ReadableStream<Uint8Array>({
    async pull(controller): Promise<void> {
      if (isPulled) await realClock.sleep(20);
      isPulled = true;
      controller.enqueue(new Uint8Array(64 * 1024));
    },
  });
  const asking = post(scene, "/v1/files", slow, leaving.signal)
    .catch(() => null);
  await until(() => scene.origin.requests().length === 1);
  leaving.abort();
  await asking;
  await until(() => scene.origin.openConnections === 0);
  await scene.kit.isEmpty();
  // The last pull of the stream above ends.
  await realClock.sleep(40);
});

Deno.test("a client that stops in the middle of an upload is cut off", async () => {
  await using scene = new Scene({ bodyMs: 300 });
  scripted(scene);
  using conn = await Deno.connect({
    hostname: "127.0.0.1",
    port: scene.kit.port,
  });
  await conn.write(new TextEncoder().encode(
    `POST /v1/files HTTP/1.1\r\nhost: 127.0.0.1:${scene.kit.port}\r\n` +
      `x-api-key: ${LOCAL_KEY}\r\ncontent-length: ${SIZE}\r\n\r\nbegun`,
  ));
  const answer = new Uint8Array(1_024);
  const count = await conn.read(answer) ?? 0;
  const text = new TextDecoder().decode(answer.subarray(0, count));
  ok(text.startsWith("HTTP/1.1 502"), text);
  await scene.kit.isEmpty();
});
