/**
 * `tc api`: one API call with an account's credential, made by the server,
 * which has the credentials. It takes relative paths only, so that a token goes
 * only to the configured upstream.
 *
 * @module
 */

import type { AccountId } from "../../core/account.ts";
import { ANY_REQUEST } from "../../core/quota/capacity.ts";
import { route } from "../../core/route/route.ts";
import type { ApiCall, ApiCallView } from "../../control/routes.ts";
import { EXIT, TcError } from "../../errors.ts";
import { destinationOf, type Proxy } from "../../proxy/proxy.ts";
import { headerValue } from "../../wire/header_list.ts";
import { requestHeaders } from "../../wire/headers.ts";
import { targetFault } from "../../wire/request/target.ts";
import { inflatedWhole } from "../../http/inflate.ts";
import { USER_AGENT } from "../../release/version.ts";

const ANSWER_BYTES_MAX = 32 * 1024 * 1024;
const TIMEOUT_MS = 120_000;

/** Makes the call. The pool chooses the account if none is named. */
export async function callApi(
  call: ApiCall,
  wanted: AccountId | null,
  proxy: Proxy,
): Promise<ApiCallView> {
  const fault = targetFault(call.path);
  if (fault !== null) {
    throw new TcError(`Cannot call ${call.path}: ${fault}`, {
      code: "bad_path",
      source: "user",
    });
  }
  const accountId = wanted ?? chosenAccount(proxy);
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const authorization = await proxy.credentials.authorization(
    accountId,
    signal,
  );
  const headers = requestHeaders(
    [
      ["accept", "application/json"],
      ["anthropic-version", "2023-06-01"],
      ["user-agent", USER_AGENT],
      ...(call.body === null
        ? []
        : [["content-type", "application/json"] as const]),
    ],
    authorization,
    proxy.localKey,
  );
  const response = await proxy.upstream.send({
    ...destinationOf(authorization, call.path, proxy),
    method: call.method.toUpperCase(),
    headers,
    body: call.body === null ? null : new TextEncoder().encode(call.body),
    signal,
  });
  const bytes = await wholeBody(response.body);
  const coding = headerValue(response.headers, "content-encoding");
  const plain = inflatedWhole(bytes, coding, ANSWER_BYTES_MAX) ?? bytes;
  const { accounts } = proxy.pool.snapshot();
  return {
    schema: "tc.call/v1",
    account: accounts.get(accountId)?.account.label ?? accountId,
    status: response.status,
    headers: response.headers,
    body: new TextDecoder().decode(plain),
  };
}

function chosenAccount({ pool }: Proxy): AccountId {
  const decision = route(pool.snapshot(), ANY_REQUEST);
  if (decision.kind === "use") return decision.accountId;
  throw new TcError("Cannot call the API: no account can serve now", {
    code: "all_closed",
    source: "user",
    exitCode: EXIT.tryLater,
    hint: "tc status   says why",
  });
}

async function wholeBody(
  body: Awaited<ReturnType<Proxy["upstream"]["send"]>>["body"],
): Promise<Uint8Array> {
  if (body.complete !== null) return body.complete;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (
    let chunk = await body.read();
    chunk !== null;
    chunk = await body.read()
  ) {
    length += chunk.length;
    if (length > ANSWER_BYTES_MAX) {
      body.cancel();
      throw new TcError("Cannot show the answer: it is over 32 MiB", {
        code: "too_large",
      });
    }
    chunks.push(chunk);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
