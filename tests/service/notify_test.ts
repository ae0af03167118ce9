/**
 * What a service says to its manager, heard on a socket that stands for
 * systemd's; by Python where the sender's process is to be seen.
 */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { notifyManager } from "../../src/service/notify.ts";
import { listening } from "../fixtures/listening.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

const PAUSE_MS = 300;
/** Windows has no such sockets. */
const CAN_NOTIFY = !needs("sockets");

/** A socket like systemd's, and what has come. */
class Manager implements AsyncDisposable {
  readonly heard: string[] = [];
  readonly #socket: Deno.DatagramConn;
  readonly #hearing: Promise<void>;

  constructor(path: string) {
    this.#socket = Deno.listenDatagram({ transport: "unixpacket", path });
    this.#hearing = this.#hear();
  }

  async #hear(): Promise<void> {
    for await (const [bytes] of this.#socket) {
      this.heard.push(new TextDecoder().decode(bytes));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.#hearing;
  }
}

async function until(isSo: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!await isSo()) {
    if (performance.now() > deadline) throw new Error("It never came to be");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

Deno.test({
  name: "notifyManager() sends its lines in one datagram and leaves no file",
  ignore: !CAN_NOTIFY,
  fn: async () => {
    await using folder = new TempFolder();
    const path = folder.join("notify");
    await using manager = new Manager(path);
    await notifyManager({
      address: path,
      from: folder.join("own"),
      lines: ["READY=1", "STATUS=all is well"],
    });
    await until(() => manager.heard.length > 0);
    deepStrictEqual(manager.heard, ["READY=1\nSTATUS=all is well"]);
    const left = await Array.fromAsync(Deno.readDir(folder.path));
    deepStrictEqual(left.map(({ name }) => name), ["notify"]);
  },
});

Deno.test("notifyManager() has nobody to tell outside a service", async () => {
  for (const address of [null, "", "vsock:2:1234"]) {
    await notifyManager({ address, from: "/nowhere/own", lines: ["READY=1"] });
  }
});

async function pidOf(pool: TcPool): Promise<number> {
  const answer = await fetch(`${await pool.baseUrl()}/healthz`);
  return (await answer.json()).pid;
}

Deno.test({
  name: "a server tells its manager when it serves, once, and no child does",
  ignore: !CAN_NOTIFY,
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await TcPool.of(api);
    const path = pool.folder.join("notify");
    await using manager = new Manager(path);
    const server = pool.command(["server", "--headless"], {
      env: { NOTIFY_SOCKET: path },
      stdout: "null",
      stderr: "null",
    }).spawn();
    await until(() => manager.heard.length > 0);
    // It listens by then: nobody waits for it.
    const first = await pidOf(pool);
    strictEqual(first, server.pid);
    match(
      manager.heard[0] ?? "",
      new RegExp(`^READY=1\nSTATUS=Listens on http://127.0.0.1:${pool.port}$`),
    );
    // The next server is a child of this one: the manager would not hear it.
    strictEqual((await pool.tc(["restart"])).code, 0);
    await until(async () => await pidOf(pool).catch(() => first) !== first);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    strictEqual(manager.heard.length, 1);
    strictEqual((await pool.tc(["stop"])).code, 0);
    strictEqual((await server.status).code, 0);
  },
});

Deno.test({
  name: "a server that cannot serve does not say that it does",
  ignore: !CAN_NOTIFY,
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await TcPool.of(api);
    using _stranger = Deno.listen({ hostname: "127.0.0.1", port: pool.port });
    const path = pool.folder.join("notify");
    await using manager = new Manager(path);
    const { code } = await pool.tc(["server"], { NOTIFY_SOCKET: path });
    strictEqual(code, 5);
    deepStrictEqual(manager.heard, []);
  },
});

Deno.test({
  name: "a manager that is not there keeps no server from serving",
  ignore: !CAN_NOTIFY,
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await TcPool.of(api);
    const server = pool.command(["server", "--headless"], {
      env: { NOTIFY_SOCKET: pool.folder.join("nobody") },
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const said = new Response(server.stderr).text();
    await listening(pool.port);
    strictEqual((await pool.tc(["stop"])).code, 0);
    strictEqual((await server.status).code, 0);
    match(await said, /cannot notify the service manager/);
  },
});

/** Hears one datagram, and whose process sent it. */
const LISTENER = `
import socket, struct, sys
hears = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
hears.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
hears.bind(sys.argv[1].replace("@", "\\0"))
hears.settimeout(60)
print("bound", flush=True)
data, parts, _, _ = hears.recvmsg(4096, 1024)
print(struct.unpack("iii", parts[0][2][:12])[0], data.decode().split("\\n")[0])
`;
import { needs, needsLinux } from "../fixtures/skipped.ts";

/** What a listener at `address` hears while `speak` runs. */
async function heardAt(
  address: string,
  speak: () => Promise<unknown>,
): Promise<string> {
  const python = new Deno.Command("python3", {
    args: ["-c", LISTENER, address],
    stdout: "piped",
  }).spawn();
  let said = "";
  const hearing = (async () => {
    const texts = python.stdout.pipeThrough(new TextDecoderStream());
    for await (const text of texts) said += text;
  })();
  await until(() => said.includes("bound"));
  await speak();
  await hearing;
  ok((await python.status).success);
  return said.replace("bound\n", "");
}

const NO_PYTHON = needsLinux("python") || !hasPython();

function hasPython(): boolean {
  try {
    return new Deno.Command("python3", { args: ["-c", ""] }).outputSync()
      .success;
  } catch {
    return false;
  }
}

Deno.test({
  // Only with the main process as sender does NotifyAccess=main let it count.
  name: "the manager sees the server's main process as the sender",
  ignore: NO_PYTHON,
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await TcPool.of(api);
    const path = pool.folder.join("notify");
    let pid = 0;
    const heard = await heardAt(path, async () => {
      const server = pool.command(["server", "--headless"], {
        env: { NOTIFY_SOCKET: path },
        stdout: "null",
        stderr: "null",
      }).spawn();
      pid = server.pid;
      await listening(pool.port);
      strictEqual((await pool.tc(["stop"])).code, 0);
      await server.status;
    });
    strictEqual(heard, `${pid} READY=1\n`);
  },
});

Deno.test({
  name: "notifyManager() reaches an address that is no file",
  ignore: NO_PYTHON,
  fn: async () => {
    await using folder = new TempFolder();
    const address = `@tc-test-${crypto.randomUUID()}`;
    const heard = await heardAt(
      address,
      () =>
        notifyManager({
          address,
          from: folder.join("own"),
          lines: ["READY=1"],
        }),
    );
    strictEqual(heard, `${Deno.pid} READY=1\n`);
  },
});
