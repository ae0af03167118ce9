/**
 * Wire room: instants as headers and JSON write them. Pure parsing, with no
 * verdict in it. What cannot be read is null, never a guess.
 *
 * @module
 */

import { type Instant, instantFromMs, SECOND_MS } from "../../core/time.ts";

const DECIMAL = /^\d+(\.\d+)?$/;
const RFC_3339 =
  /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";
const MONTH = `(${MONTHS.match(/.{3}/g)?.join("|")})`;
const CLOCK = "(\\d\\d):(\\d\\d):(\\d\\d)";
/** `Sun, 06 Nov 1994 08:49:37 GMT` */
const IMF_FIXDATE = new RegExp(
  `^[A-Z][a-z]{2}, (\\d\\d) ${MONTH} (\\d{4}) ${CLOCK} GMT$`,
);
/** `Sunday, 06-Nov-94 08:49:37 GMT` */
const RFC_850 = new RegExp(
  `^[A-Z][a-z]{5,8}, (\\d\\d)-${MONTH}-(\\d\\d) ${CLOCK} GMT$`,
);
/** `Sun Nov  6 08:49:37 1994` */
const ASCTIME = new RegExp(
  `^[A-Z][a-z]{2} ${MONTH} ([ \\d]\\d) ${CLOCK} (\\d{4})$`,
);

/** Epoch values from here on are milliseconds: seconds reach it in 33658. */
const EPOCH_MS_MIN = 1e12;

/**
 * When `retry-after` allows the next try, at most `maxMs` from `now`. Both
 * forms of RFC 9110 section 10.2.3 are read, seconds with a fraction too. A
 * date that has passed means `now`. Null for an absent or senseless value.
 */
export function retryAt(
  value: string | null,
  now: Instant,
  maxMs: number,
): Instant | null {
  if (value === null) return null;
  const text = value.trim();
  const waitMs = DECIMAL.test(text)
    ? Number(text) * SECOND_MS
    : (httpDateMs(text) ?? NaN) - now;
  if (Number.isNaN(waitMs)) return null;
  return instantFromMs(now + Math.ceil(Math.min(Math.max(waitMs, 0), maxMs)));
}

/** A plain decimal number without sign or exponent, else null. */
export function decimal(text: string | null): number | null {
  if (text === null || !DECIMAL.test(text.trim())) return null;
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}

/**
 * The instant of a reset: epoch seconds, epoch milliseconds or RFC 3339, to
 * the nearest second, since the same reset comes with other fractions each
 * time. Null where `value` is none of these, or 0.
 */
export function resetInstant(value: unknown): Instant | null {
  const ms = typeof value === "number"
    ? epochMs(value)
    : typeof value === "string"
    ? epochMs(decimal(value)) ?? rfc3339Ms(value.trim())
    : null;
  if (ms === null) return null;
  return instantFromMs(Math.round(ms / SECOND_MS) * SECOND_MS);
}

function epochMs(value: number | null): number | null {
  if (value === null || !Number.isFinite(value) || value <= 0) return null;
  return value >= EPOCH_MS_MIN ? value : value * SECOND_MS;
}

function rfc3339Ms(text: string): number | null {
  if (!RFC_3339.test(text)) return null;
  const ms = Date.parse(text.replace(" ", "T").toUpperCase());
  return Number.isNaN(ms) ? null : ms;
}

/** The three forms of RFC 9110 section 5.6.7; Date.parse would take "-5". */
function httpDateMs(text: string): number | null {
  const fixed = IMF_FIXDATE.exec(text);
  if (fixed !== null) {
    const [, day, month, year, ...clock] = fixed;
    return utcMs([year, month, day, ...clock]);
  }
  const old = RFC_850.exec(text);
  if (old !== null) {
    const [, day, month, year, ...clock] = old;
    return utcMs([`20${year}`, month, day, ...clock]);
  }
  const c = ASCTIME.exec(text);
  if (c === null) return null;
  const [, month, day, hour, minute, second, year] = c;
  return utcMs([year, month, day, hour, minute, second]);
}

function utcMs(parts: readonly (string | undefined)[]): number | null {
  const [year, month, day, hour, minute, second] = parts;
  const monthIndex = MONTHS.indexOf(month ?? "?") / 3;
  const ms = Date.UTC(
    Number(year),
    monthIndex,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  );
  const isReal = Number(day) >= 1 && Number(day) <= 31 && Number(hour) < 24 &&
    Number(minute) < 60 && Number(second) <= 60;
  return Number.isNaN(ms) || !isReal ? null : ms;
}
