/**
 * The kinds of settings in the table of settings, each with its check and its
 * texts.
 *
 * @module
 */

import * as v from "valibot";
import type { Knob } from "../core/settings.ts";

/** What help and errors say about one setting. */
export interface SettingText {
  readonly help: string;
  /** Completes "it must be …". */
  readonly allowed: string;
  /** The meaning of the value, where more than its type matters. */
  readonly kind?: "key" | "secret" | "url";
}

/** A setting with a `Value` and a default. */
type Setting<Value> = v.OptionalSchema<v.GenericSchema<Value>, Value>;

/** Returns a setting of the given schema. */
export function leaf<Value>(
  schema: v.GenericSchema<Value>,
  fallback: NoInfer<Value>,
  text: SettingText,
): Setting<Value> {
  return v.optional(v.pipe(schema, v.metadata({ ...text })), fallback);
}

export function wholeNumber(
  min: number,
  max: number,
  fallback: number,
  help: string,
): Setting<number> {
  const schema = v.pipe(
    v.number(),
    v.integer(),
    v.minValue(min),
    v.maxValue(max),
  );
  return leaf(schema, fallback, {
    help,
    allowed: `a whole number from ${min} to ${max}`,
  });
}

function fraction(
  min: number,
  max: number,
  fallback: number,
  help: string,
): Setting<number> {
  const schema = v.pipe(v.number(), v.minValue(min), v.maxValue(max));
  return leaf(schema, fallback, {
    help,
    allowed: `a number from ${min} to ${max}`,
  });
}

export function flag(fallback: boolean, help: string): Setting<boolean> {
  return leaf(v.boolean(), fallback, { help, allowed: "true or false" });
}

export function choice<const Name extends string>(
  names: readonly Name[],
  fallback: NoInfer<Name>,
  help: string,
): Setting<Name> {
  return leaf<Name>(v.picklist(names), fallback, {
    help,
    allowed: `one of ${names.join(", ")}`,
  });
}

export function url(fallback: string, help: string): Setting<string> {
  const schema = v.pipe(
    v.string(),
    v.check((text) =>
      text === "" || /^https?:\/\/[^/?#@\s]+(\/[^?#\s]*)?$/.test(text)
    ),
  );
  return leaf(schema, fallback, {
    help,
    allowed: "an http or https URL without user, query or fragment",
    kind: "url",
  });
}

/** TLS to other machines; without it only to this one. */
const WEBHOOK =
  /^(https:\/\/[^/?#@\s]+|http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?)(\/[^#\s]*)?$/;

/** Returns the setting of a webhook, whose URL is shown to nobody: it is a key. */
export function webhook(help: string): Setting<string> {
  const schema = v.pipe(
    v.string(),
    v.check((text) => text === "" || WEBHOOK.test(text) && URL.canParse(text)),
  );
  return leaf(schema, "", {
    help,
    allowed: "an https URL, or http on this machine, without a user",
    kind: "secret",
  });
}

/** Returns the setting of a database's address, which may hold a password. */
export function storeUrl(help: string): Setting<string> {
  const schema = v.pipe(
    v.string(),
    v.check((text) =>
      text === "" || /^postgres(ql)?:\/\//.test(text) && URL.canParse(text)
    ),
  );
  return leaf(schema, "", {
    help,
    allowed: "a postgres:// URL, or empty",
    kind: "secret",
  });
}

/** The form of a local key, chosen or random. */
export const KEY_SHAPE = /^[A-Za-z0-9_-]{8,256}$/;

/** Returns the setting of a local key; empty means none. */
export function key(help: string): Setting<string> {
  const schema = v.pipe(
    v.string(),
    v.check((text) => text === "" || KEY_SHAPE.test(text)),
  );
  return leaf(schema, "", {
    help,
    allowed: "8 to 256 letters, digits, - or _",
    kind: "key",
  });
}

/** Returns the setting of headers, which may hold a key; empty means none. */
export function headerList(help: string): Setting<string> {
  const schema = v.pipe(
    v.string(),
    v.check((text) =>
      text.split(",").every((pair) =>
        text === "" || /^\s*[\w-]+=[\x21-\x7e ]*$/.test(pair)
      )
    ),
  );
  return leaf(schema, "", {
    help,
    allowed: "name=value pairs, separated by commas",
    kind: "secret",
  });
}

export function text(fallback: string, help: string): Setting<string> {
  return leaf(v.pipe(v.string(), v.maxLength(4096)), fallback, {
    help,
    allowed: "a text",
  });
}

/** Returns settings under one name. */
export function section<const Entries extends v.ObjectEntries>(
  entries: Entries,
): v.OptionalSchema<v.LooseObjectSchema<Entries, undefined>, never> {
  return v.optional(v.looseObject(entries), {} as never);
}

/** Returns the schema of a setting that the core describes. */
function ofKnob(knob: Knob): v.GenericSchema {
  switch (knob.kind) {
    case "number":
      return fraction(knob.min, knob.max, knob.default, knob.help);
    case "choice":
      return choice(knob.values, knob.default, knob.help);
    case "switch":
      return flag(knob.default, knob.help);
  }
}

export function ofKnobs(
  knobs: Readonly<Record<string, Knob>>,
): v.ObjectEntries {
  return Object.fromEntries(
    Object.entries(knobs).map(([name, knob]) => [name, ofKnob(knob)]),
  );
}
