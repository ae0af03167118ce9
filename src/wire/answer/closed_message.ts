/**
 * Wire room: the sentence that Claude Code shows while no account can serve.
 * It carries the facts, since the person sees nothing else (screens 8).
 *
 * @module
 */

import { DAY_MS, type Instant } from "../../core/time.ts";

/** One account that cannot serve. Give only those that ever could. */
export interface ClosedAccount {
  readonly label: string;
  /** `5h spent`, `needs login (tc login --account new)`. */
  readonly reason: string;
  /** When it is back, where that is known. */
  readonly until: Instant | null;
  /** It could serve, but has as many requests as it takes for now. */
  readonly isBusy: boolean;
}

export interface ClosedMessageOptions {
  readonly now: Instant;
  /** Local time minus UTC at an instant: summer time may begin in between. */
  offsetMsAt(at: Instant): number;
  /** How long this request is held yet; null when it is not held. */
  readonly holdingSec: number | null;
}

/** More names than these help nobody. */
const LABELS_MAX = 12;

const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/**
 * `All 4 accounts are closed: work and home: 5h spent, back 13:12 and 14:05; …`.
 * Accounts with the same reason are named together; times are local, with the
 * weekday when not today and the date when not within the week.
 */
export function closedMessage(
  accounts: readonly ClosedAccount[],
  options: ClosedMessageOptions,
): string {
  const holding = options.holdingSec === null
    ? ""
    : ` Holding for ${Math.ceil(options.holdingSec)} s.`;
  if (accounts.length === 0) {
    return `The pool has no account: tc status says why, tc login adds one.${holding}`;
  }
  const word = accounts.every(({ isBusy }) => isBusy) ? "busy" : "closed";
  const head = accounts.length === 1
    ? `The only account is ${word}`
    : `All ${accounts.length} accounts are ${word}`;
  const named = accounts.slice(0, LABELS_MAX);
  const parts = [...Map.groupBy(named, groupKey).values()]
    .map((group) => groupText(group, options));
  const more = accounts.length - named.length;
  if (more > 0) parts.push(`and ${more} more`);
  return `${head}: ${parts.join("; ")}.${holding}`;
}

/** What a conversation is told that waits because there is more work than quota. */
export function parkedMessage(
  turnAt: Instant | null,
  options: ClosedMessageOptions,
): string {
  const turn = turnAt === null
    ? "Its turn comes when quota is free"
    : `Its turn comes at ${timeText(turnAt, options)}`;
  return `There are more conversations than the quota feeds, so this one is parked. ${turn}.`;
}

function groupKey({ reason, until }: ClosedAccount): string {
  return `${until === null ? "open" : "ends"} ${reason}`;
}

function groupText(
  group: readonly ClosedAccount[],
  options: ClosedMessageOptions,
): string {
  const labels = listed(group.map(({ label }) => label));
  const reason = group[0]?.reason ?? "";
  const times = group.flatMap(({ until }) =>
    until === null ? [] : [timeText(until, options)]
  );
  const isOne = new Set(times).size === 1;
  const back = times.length === 0
    ? ""
    : `, back ${isOne ? times[0] : listed(times)}`;
  return `${labels}: ${reason}${back}`;
}

function listed(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

function timeText(
  at: Instant,
  { now, offsetMsAt }: ClosedMessageOptions,
): string {
  const local = new Date(at + offsetMsAt(at));
  const clock = `${two(local.getUTCHours())}:${two(local.getUTCMinutes())}`;
  const today = Math.floor((now + offsetMsAt(now)) / DAY_MS);
  const days = Math.floor((at + offsetMsAt(at)) / DAY_MS) - today;
  if (days <= 0) return clock;
  if (days < 7) return `${WEEKDAYS[local.getUTCDay()]} ${clock}`;
  return `${local.getUTCDate()} ${MONTHS[local.getUTCMonth()]} ${clock}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
