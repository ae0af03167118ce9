/** What is compared: each on a port of its own, started and stopped here. */

import { freePort } from "../fixtures/free_port.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

const KEY = "key-of-the-benchmark-0123456789";
const ROOT = new URL("../../", import.meta.url);
const HERE = new URL("./", import.meta.url).pathname;

export interface Target {
  readonly name: string;
  readonly port: number;
  /** Before the API's path. */
  readonly prefix: string;
  /** The processes whose memory counts. */
  readonly pid: number | null;
}

export type Skipped = { readonly name: string; readonly why: string };

/** Everything that was started; stops it in the end. */
export class Targets implements AsyncDisposable {
  readonly list: Target[] = [];
  readonly skipped: Skipped[] = [];
  readonly #children: Deno.ChildProcess[] = [];
  readonly #folder = new TempFolder();

  /**
   * Starts the origin and every proxy that this machine has; `against` is an
   * executable, or the
   * folder of another tc to start as well.
   */
  static async start(against: string | null): Promise<Targets> {
    const targets = new Targets();
    const origin = await targets.#spawn(Deno.execPath(), [
      "run",
      "-A",
      "--no-check",
      `${HERE}origin_server.ts`,
    ]);
    const port = Number(await firstLine(origin));
    const direct = { name: "direct", port, prefix: "", pid: null };
    targets.list.push(direct);
    await targets.#tc(port, { name: "tc", root: ROOT });
    if (against !== null) {
      const path = Deno.realPathSync(against);
      await targets.#tc(
        port,
        Deno.statSync(path).isFile
          ? { name: "executable", program: [path] }
          : { name: "tc before", root: new URL(`file://${path}/`) },
      );
    }
    await targets.#node(port);
    await targets.#nginx(port);
    await targets.#maxpool(port);
    return targets;
  }

  /** Starts the parts of the data plane, a bare Node proxy and tc. */
  static async startStages(stages: readonly string[]): Promise<Targets> {
    const targets = new Targets();
    const origin = await targets.#spawn(Deno.execPath(), [
      "run",
      "-A",
      "--no-check",
      `${HERE}origin_server.ts`,
    ]);
    const port = Number(await firstLine(origin));
    for (const name of stages) {
      const child = await targets.#spawn(Deno.execPath(), [
        "run",
        "-A",
        "--no-check",
        `${HERE}stage_server.ts`,
        name,
        `${port}`,
      ]);
      const own = JSON.parse(await firstLine(child));
      targets.list.push({ name, ...own, pid: child.pid });
    }
    await targets.#node(port);
    await targets.#tc(port, { name: "tc, quiet", root: ROOT, level: "error" });
    await targets.#tc(port, { name: "tc", root: ROOT });
    return targets;
  }

  async #tc(
    origin: number,
    { name, root = ROOT, program, level = "info" }: {
      readonly name: string;
      /** The checkout that is run. */
      readonly root?: URL;
      /** What is run instead, as a command. */
      readonly program?: readonly string[];
      readonly level?: string;
    },
  ): Promise<void> {
    const port = freePort();
    const home = this.#folder.join(name.replaceAll(/\W+/g, "_"));
    await Deno.mkdir(home);
    const config = `${home}/tc.json`;
    const environment = {
      HOME: home,
      XDG_STATE_HOME: `${home}/state`,
      TC_CONFIG: config,
      DENO_DIR: await denoFolder(),
    };
    await Deno.writeTextFile(
      config,
      JSON.stringify({
        upstream: `http://127.0.0.1:${origin}`,
        proxy: { port, apiKey: KEY },
        vault: { backend: "file" },
        log: { level },
        // No three accounts feed 500 sessions: here they shall.
        routing: {
          concurrencyGate: "off",
          perMinuteGate: "off",
          parking: 0,
        },
        usage: { poll: false },
      }),
      { mode: 0o600 },
    );
    const main = new URL("main.ts", root).pathname;
    const [command = "", ...tc] = program ??
      [Deno.execPath(), "run", "-A", "--no-check", main];
    for (const label of ["a", "b", "c"]) {
      const login = await this.#spawn(
        command,
        [...tc, "login", "--api", "--api-key-stdin", "--name", label],
        environment,
      );
      await send(
        login,
        `sk-ant-oat01-FAKE-token-of-account-${label}-0123456789`,
      );
      await login.status;
    }
    const child = await this.#spawn(
      command,
      [...tc, "server", "--headless"],
      environment,
    );
    if (!await answers(port)) throw new Error("tc did not start");
    forget(child);
    const prefix = `/k/${KEY}`;
    this.list.push({ name, port, prefix, pid: child.pid });
  }

  async #node(origin: number): Promise<void> {
    if (!await has("node")) return this.#skip("node", "not installed");
    const child = await this.#spawn("node", [
      `${HERE}node_proxy.cjs`,
      `${origin}`,
    ]);
    const port = Number(await firstLine(child));
    this.list.push({ name: "node", port, prefix: "", pid: child.pid });
  }

  async #nginx(origin: number): Promise<void> {
    if (!await has("nginx", "-v")) return this.#skip("nginx", "not installed");
    const port = freePort();
    const file = this.#folder.join("nginx.conf");
    await Deno.writeTextFile(
      file,
      nginxConfig({ port, origin, folder: this.#folder.path }),
    );
    const child = await this.#spawn("nginx", ["-c", file, "-e", "/dev/null"]);
    await answers(port);
    forget(child);
    this.list.push({ name: "nginx", port, prefix: "", pid: child.pid });
  }

  async #maxpool(origin: number): Promise<void> {
    if (!await has("maxpool", "help")) {
      return this.#skip("maxpool", "not installed (npm i -g maxpool)");
    }
    const port = freePort();
    const config = this.#folder.join("maxpool.json");
    await Deno.writeTextFile(
      config,
      JSON.stringify({
        upstream: `http://127.0.0.1:${origin}`,
        proxy: { port, host: "127.0.0.1", apiKey: KEY },
        updateCheck: false,
        quotaProbeSeconds: 0,
        eventLog: false,
        scheduler: {
          safetyMaxActivePerAccount: 1_000,
          safetyMaxGlobalActive: 3_000,
        },
        accounts: ["a", "b", "c"].map((name) => ({
          name,
          type: "apikey",
          apiKey: `sk-ant-api03-FAKE-key-of-account-${name}-0123456789`,
        })),
      }),
      { mode: 0o600 },
    );
    const child = await this.#spawn("maxpool", ["server"], {
      HOME: this.#folder.path,
      MAXPOOL_CONFIG: config,
    });
    if (!await answers(port)) return this.#skip("maxpool", "did not start");
    forget(child);
    this.list.push({ name: "maxpool", port, prefix: "", pid: child.pid });
  }

  #skip(name: string, why: string): void {
    this.skipped.push({ name, why });
  }

  #spawn(
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Deno.ChildProcess> {
    const child = new Deno.Command(command, {
      args: [...args],
      env: { ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#children.push(child);
    return Promise.resolve(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      try {
        child.kill("SIGTERM");
      } catch {
        // It has ended.
      }
    }
    const late = setTimeout(() => {
      for (const child of this.#children) {
        try {
          child.kill("SIGKILL");
        } catch {
          // It has ended.
        }
      }
    }, 3_000);
    await Promise.all(this.#children.map(({ status }) => status));
    clearTimeout(late);
    await this.#folder[Symbol.asyncDispose]();
  }
}

/** The first line; the rest is read and forgotten, lest a pipe fills. */
async function firstLine(child: Deno.ChildProcess): Promise<string> {
  const found = Promise.withResolvers<string>();
  const reading = (async () => {
    let text = "";
    for await (
      const part of child.stdout.pipeThrough(new TextDecoderStream())
    ) {
      if (text.includes("\n")) continue;
      text += part;
      if (text.includes("\n")) found.resolve(text.split("\n")[0] ?? "");
    }
    found.reject(new Error(`It ended and said: ${text}`));
  })();
  reading.catch(found.reject);
  return await found.promise;
}

function forget(child: Deno.ChildProcess): void {
  firstLine(child).catch(() => {
    // It had nothing to say.
  });
}

async function send(child: Deno.ChildProcess, text: string): Promise<void> {
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(`${text}\n`));
  await writer.close();
}

async function has(command: string, flag = "--version"): Promise<boolean> {
  try {
    const child = new Deno.Command(command, {
      args: [flag],
      stdout: "null",
      stderr: "null",
    }).spawn();
    return (await child.status).success;
  } catch {
    return false;
  }
}

async function answers(port: number): Promise<boolean> {
  for (let tries = 0; tries < 200; tries++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return true;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  return false;
}

/** Where this Deno keeps its packages: a new HOME would have it load them anew. */
async function denoFolder(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json"],
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

function nginxConfig(
  { port, origin, folder }: {
    readonly port: number;
    readonly origin: number;
    readonly folder: string;
  },
): string {
  return `
daemon off;
master_process off;
worker_rlimit_nofile 16384;
pid ${folder}/nginx.pid;
events { worker_connections 4096; }
http {
  access_log off;
  client_max_body_size 64m;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  upstream origin { server 127.0.0.1:${origin}; keepalive 1024; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_request_buffering off;
      keepalive_requests 10000000;
    }
  }
}
`;
}
