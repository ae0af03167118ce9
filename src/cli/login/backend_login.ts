/**
 * `tc login --backend URL`: adds an account of a third party that speaks
 * Anthropic's API. Its key comes by prompt or standard input, never by an
 * argument.
 *
 * @module
 */

import { addKey, readKey } from "../../auth/sign_in/api_key.ts";
import { idOfSecret } from "../../auth/sign_in/account_id.ts";
import { inert } from "../../control/words.ts";
import { EXIT, UsageError } from "../../errors.ts";
import { commandWord } from "../../shell_words.ts";
import { checkName } from "../../store/account_desk.ts";
import { systemClock } from "../../system/clock.ts";
import {
  checkFree,
  openDesk,
  takenNames,
  tellServer,
} from "../accounts/account_work.ts";
import { askSecret, readStdin } from "../asking.ts";
import type { Shell } from "../shell.ts";

/** What the command line says about a backend. */
interface BackendOptions {
  /** Pairs such as `claude-sonnet-4-5=their-model`. */
  readonly model?: readonly string[] | undefined;
  /** Whether the key goes as `Authorization: Bearer` instead of `x-api-key`. */
  readonly bearer?: boolean | undefined;
  readonly apiKeyStdin?: boolean | undefined;
  readonly name?: string | undefined;
  readonly account?: string | undefined;
  readonly api?: boolean | undefined;
  readonly due?: boolean | undefined;
}

/** Adds the backend and says what it is used for. Returns the exit code. */
export async function loginWithBackend(
  shell: Shell,
  { model = [], bearer, apiKeyStdin, name, account, api, due }: BackendOptions,
  /** Its address, as `https://api.example.com/anthropic`. */
  address: string,
): Promise<number> {
  const upstream = backendUrl(address);
  if (account !== undefined || api === true || due === true) {
    throw new UsageError(
      "Cannot combine --backend with --account, --api or --due: it adds an account",
      "tc login --api --account NAME   gives a backend another key",
    );
  }
  const modelMap = modelMapOf(model);
  if (name !== undefined) checkName(name);
  const { desk, vault } = await openDesk(shell);
  const listing = await desk.list();
  if (name !== undefined) checkFree(name, listing);
  const text = apiKeyStdin === true
    ? await readStdin("the key")
    : await askSecret(shell, "Key of the backend");
  const scheme = bearer === true ? "bearer" : "api_key";
  const credential = readKey(text, scheme);
  if (credential.kind === "oauth") throw new TypeError("A key is not a login");
  const id = await idOfSecret(credential.token);
  const known = listing.entries.find((entry) => entry.id === id);
  if (known !== undefined) {
    throw new UsageError(
      `Cannot add the backend: the pool has that key already, as ${
        inert(known.label)
      }`,
      `tc remove ${commandWord(known.label)}   and then the same again`,
    );
  }
  const entry = await addKey(credential, {
    name: name ?? null,
    account: null,
    backend: scheme,
    taken: takenNames(listing),
  }, { vault, clock: systemClock });
  await desk.enlist(entry.id, {
    upstream,
    ...modelMap === null ? {} : { modelMap },
  });
  const isLive = await tellServer(shell);
  const { output } = shell;
  const { label, kind, email, tier } = entry;
  if (output.isJson) {
    const account = { id, label, kind, email, tier };
    output.json({ schema: "tc.login/v1", result: "added", account, isLive });
    return EXIT.ok;
  }
  output.line(`Added ${inert(label)}, a backend at ${upstream}.`);
  output.say("It serves when neither a plan nor an API key can.");
  if (modelMap === null) {
    output.say(
      "It gets the model names that clients send: --model NAME=ITS-NAME",
    );
    output.say("says what it calls them.");
  }
  output.say(
    isLive
      ? "tc restart   lets the running server reach that address"
      : "tc run   starts Claude Code through the pool",
  );
  return EXIT.ok;
}

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/**
 * Returns the address without a `/` at its end. Throws UsageError if it is no
 * URL, has a part that would leak or get lost, or would send the key in clear.
 */
function backendUrl(text: string): string {
  const url = URL.parse(text);
  const example = "tc login --backend https://api.example.com/anthropic";
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(
      `Cannot use ${inert(text)}: it must be an https URL`,
      example,
    );
  }
  if (url.username !== "" || url.password !== "") {
    throw new UsageError(
      "Cannot use an address with a password in it: other programs can read arguments",
      example,
    );
  }
  if (url.search !== "" || url.hash !== "") {
    throw new UsageError(
      `Cannot use ${inert(text)}: a backend's address has neither ? nor #`,
      example,
    );
  }
  if (url.protocol === "http:" && !LOOPBACK.test(url.hostname)) {
    throw new UsageError(
      `Cannot use ${inert(text)}: the key would cross the network in clear`,
      example,
    );
  }
  // Requests bring /v1 themselves.
  return `${url.origin}${url.pathname.replace(/(\/v1)?(\/messages)?\/*$/, "")}`;
}

/** Returns the pairs as a map; null if there are none. */
function modelMapOf(
  pairs: readonly string[],
): Readonly<Record<string, string>> | null {
  if (pairs.length === 0) return null;
  return Object.fromEntries(pairs.map((pair) => {
    const match = /^([^=\s]+)=([^=\s]+)$/.exec(pair);
    if (match === null) {
      throw new UsageError(
        `Cannot use ${inert(pair)} for --model: it must be two names`,
        "--model claude-sonnet-4-5=their-model",
      );
    }
    return [match[1], match[2]];
  }));
}
