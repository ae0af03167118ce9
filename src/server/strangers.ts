/**
 * The error for a port on which something other than this pool's server
 * listens: it names the program and the command that helps.
 *
 * @module
 */

import { systemRunner } from "../system/command_runner.ts";
import { readHolder } from "./server_claim.ts";
import { placeOf, StrangerError } from "../control/server_connection.ts";
import type { HealthView } from "../control/protocol.ts";
import { EXIT, TcError } from "../errors.ts";
import { inert } from "../control/words.ts";
import { type PortOwner, portOwner } from "../system/port_owner.ts";
import { endProcess } from "../shell_words.ts";
import type { Paths } from "../system/paths.ts";
import type { System } from "../variables.ts";

/** Returns `stranger` with the program on the port and a free port in it. */
export async function describeStranger(
  { sign, address }: StrangerError,
  { paths, system }: { readonly paths: Paths; readonly system: System },
): Promise<StrangerError> {
  const owner = await portOwner(address.port, {
    runner: systemRunner,
    system,
    uid: Deno.uid(),
  });
  const holder = readHolder(paths.stateFolder);
  const isOurs = holder !== null && holder.pid === owner?.pid &&
    URL.parse(holder.origin)?.port === String(address.port);
  const place = placeOf(address);
  if (isOurs && sign !== "wrong_proof") {
    return new StrangerError(sign, address, {
      message: sign === "silent"
        ? `Cannot use tc on ${place}: it does not answer (pid ${holder.pid})`
        : `Cannot use tc on ${place}: an older tc runs there ` +
          `(${holder.version}, pid ${holder.pid})`,
      hint: (person) =>
        `${endProcess(person, holder.pid)}   ends it; tc run starts another`,
    });
  }
  return new StrangerError(sign, address, {
    message: `Cannot use ${place}: ${whoListens(sign, owner)}`,
    hint: `tc config set proxy.port ${freePort(address.port)}   ` +
      "gives this tc a free port of its own",
  });
}

/**
 * Returns the error of a server whose port is taken, with the name of the one
 * that has it. `health` asks whoever listens at `where`, as `host:port`.
 */
export async function describePortTaken(
  cause: TcError,
  where: string,
  health: () => Promise<HealthView>,
): Promise<TcError> {
  try {
    const { version, pid } = await health();
    return new TcError(
      `Cannot listen on ${where}: tc ${version} (pid ${pid}) is already there`,
      {
        code: "already_running",
        source: "user",
        exitCode: EXIT.alreadyRunning,
        hint: "tc watch   shows it\ntc stop    ends it",
      },
    );
  } catch (trial) {
    const isStranger = trial instanceof StrangerError;
    const message = isStranger
      ? trial.message.replace(/^Cannot use /, "Cannot listen on ")
      : cause.message;
    return new TcError(message, {
      code: "port_taken",
      source: "user",
      exitCode: EXIT.alreadyRunning,
      hint: (isStranger ? trial.hint : null) ??
        "tc server --port 3460   listens on another port",
    });
  }
}

/** Returns who listens on the port, and why tc does not use it. */
export function whoListens(
  sign: StrangerError["sign"],
  owner: PortOwner | null,
): string {
  const other = owner?.otherUser ?? null;
  const whose = other === null ? "" : ` of another user (${inert(other)})`;
  const pid = owner?.pid ?? null;
  const number = pid === null ? "" : ` (pid ${pid})`;
  if (sign === "wrong_proof") {
    return other === null
      ? `another tc of yours${number} listens there, with another key`
      : `the tc${whose}${number} listens there`;
  }
  const program = inert(owner?.program ?? "another program");
  return `${program}${whose}${number} listens there, and ${NOT_TC[sign]}`;
}

const NOT_TC: Readonly<Record<StrangerError["sign"], string>> = {
  silent: "does not answer",
  closed: "closes every connection",
  not_http: "it is not tc",
  no_proof: "it is not tc",
  wrong_proof: "it is another tc",
};

const PORTS_TRIED = 20;

/** Returns the first free port above `port`, for a command that can be typed. */
function freePort(port: number): number {
  for (let next = port + 1; next <= port + PORTS_TRIED; next++) {
    if (next > 65535) break;
    try {
      Deno.listen({ hostname: "127.0.0.1", port: next }).close();
      return next;
    } catch {
      // This port is taken too.
    }
  }
  return port > 3000 ? port - 1000 : port + 1000;
}
