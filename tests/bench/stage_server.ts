/**
 * A part of the data plane as a process: `stage_server.ts <stage> <port of the
 * origin>`. Each stage does what the one before it does, and more, so that the
 * difference of two is the price of what was added.
 */

import { PageSessions } from "../../src/server/page_sessions.ts";
import { connectionLimits } from "../../src/http/client_connection.ts";
import { Deadline } from "../../src/http/deadline.ts";
import type { IncomingRequest } from "../../src/http/request.ts";
import type { ClientAnswer } from "../../src/http/response.ts";
import { ConnectionServer } from "../../src/http/server.ts";
import { LIST_BOOK } from "../fixtures/list_book.ts";
import { MANUAL_SHELL } from "../../src/shell_words.ts";
import type {
  Journal,
  Lease,
  Pool,
  RequestLog,
  Upstream,
} from "../../src/ports.ts";
import { BodyBudget, readBody } from "../../src/proxy/body.ts";
import type { Proxy } from "../../src/proxy/proxy.ts";
import { listen } from "../../src/proxy/routes.ts";
import { LedgerWriter } from "../../src/records/ledger_writer.ts";
import { StateDatabase } from "../../src/records/state_database.ts";
import { RecentTally, Tally } from "../../src/records/tally.ts";
import { passthroughHeaders, responseHeaders } from "../../src/wire/headers.ts";
import { LOCAL_KEY, ProxyKit } from "../fixtures/proxy_kit.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { type Stage, STAGES } from "./stages.ts";

const SILENT: Journal = { log: () => {} };

function budget(): BodyBudget {
  const bytes = 64 * 1024 * 1024;
  return new BodyBudget({
    bodyBytesMax: bytes,
    totalBytesMax: 16 * bytes,
    bodyMs: 60_000,
  });
}

/** Passes requests on to `origin`, and knows nothing else. */
function relayTo(
  origin: string,
  upstream: Upstream,
): (incoming: IncomingRequest, target: string) => Promise<ClientAnswer> {
  const bodies = budget();
  return async ({ method, headers, body, signal }, target) => {
    using share = bodies.share();
    const reading = await readBody(body, share, bodies);
    if (reading.kind !== "body") throw new Error(reading.kind);
    const { status, headers: lines, body: answer } = await upstream.send({
      origin,
      method,
      target,
      headers: passthroughHeaders(headers.list, null),
      body: reading.bytes,
      signal,
    });
    return {
      status,
      headers: responseHeaders(lines),
      body: answer.complete ?? answer,
    };
  };
}

function serveRelay(origin: string, upstream: Upstream): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const answer = relayTo(origin, upstream);
  new ConnectionServer([listener], {
    answer: async (incoming) => {
      incoming.prove();
      const { pathname, search } = new URL(incoming.url);
      const target = pathname.replace(/^\/k\/[^/]+/, "") + search;
      try {
        return await answer(incoming, target);
      } catch {
        // The client has left: nobody reads this.
        return { status: 502, headers: [], body: null };
      }
    },
    stall: new Deadline(60_000),
    heads: { firstByteMs: 60_000, headMs: 60_000 },
    connections: connectionLimits(null),
    journal: SILENT,
  });
  return listener.addr.port;
}

/** A pool that is always as it was at the start. */
function stillPool({ keeper }: ProxyKit): Pool {
  const snapshot = keeper.snapshot();
  return {
    snapshot: () => snapshot,
    openLease: (accountId) =>
      ({ id: "still", accountId, close: () => {} }) as unknown as Lease,
    judge: () => {},
    dispatch: () => {},
    changed: () => new Promise(() => {}),
  };
}

/** Writes rows and counts as the server does, into a database of its own. */
function ledgerOf({ keeper }: ProxyKit): RequestLog {
  const folder = Deno.makeTempDirSync({ prefix: "tc_stage_" });
  Deno.addSignalListener("SIGTERM", () => {
    Deno.removeSync(folder, { recursive: true });
    Deno.exit();
  });
  const tally = new Tally(realClock.now(), LIST_BOOK);
  const recent = new RecentTally();
  const writer = new LedgerWriter({
    state: new StateDatabase({
      path: `${folder}/state.db`,
      writer: "stage",
      clock: realClock,
      journal: SILENT,
      person: MANUAL_SHELL,
    }),
    clock: realClock,
    journal: SILENT,
    poolState: () => keeper.state,
    bounds: { days: 30, bytesMax: 1e9 },
    hasProjects: true,
    prices: LIST_BOOK,
  });
  writer.serves();
  return {
    finished: (record) => {
      tally.add(record);
      recent.add(record);
      writer.finished(record);
    },
  };
}

function serveProxy(stage: Stage, origin: string): number {
  const kit = new ProxyKit({ origin, isKeyed: true });
  const isLive = stage === "pool" || stage === "ledger";
  const proxy: Proxy = {
    ...kit.proxy,
    pool: isLive ? kit.keeper : stillPool(kit),
    journal: SILENT,
    log: stage === "ledger" ? ledgerOf(kit) : { finished: () => {} },
  };
  const answer = relayTo(origin, kit.upstream);
  // The kit keeps every event for tests, which a server does not.
  setInterval(() => kit.events.length = 0, 20);
  return listen({
    proxy,
    tokenUrl: new URL("http://127.0.0.1:1/"),
    control: stage === "door"
      ? (incoming, { target }) => answer(incoming, target)
      : () => null,
    door: {
      host: "127.0.0.1",
      key: proxy.localKey,
      isKeylessLoopback: false,
      pages: new PageSessions(realClock),
      keylessPaths: [],
      hosts: [],
      origins: [],
    },
    port: 0,
    requestsMax: 2_000,
    sharing: "alone",
    openFiles: null,
    socket: null,
  }).port;
}

if (import.meta.main) {
  const [name, port] = Deno.args;
  const stage = STAGES.find((known) => known === name);
  if (stage === undefined) throw new Error(`no stage ${name}`);
  const origin = `http://127.0.0.1:${port}`;
  const own = stage === "relay"
    ? serveRelay(origin, new ProxyKit({ origin }).upstream)
    : serveProxy(stage, origin);
  const text = JSON.stringify({ port: own, prefix: `/k/${LOCAL_KEY}` });
  await Deno.stdout.write(new TextEncoder().encode(`${text}\n`));
}
