/**
 * The books of one served request: the permit, the cache, the quota and the
 * record, from its start to its one end.
 *
 * @module
 */

import { NO_USAGE, type TokenUsage } from "../../core/usage.ts";
import type { MessageEventOut } from "../answer/event_writer.ts";
import type { Asked } from "../quota/judge.ts";
import type { Ending } from "./records.ts";
import { quotaUnits } from "../quota/true_quota.ts";

export class Serving {
  readonly #asked: Asked;

  /** Takes the permit and books what the prompt costs. */
  constructor(asked: Asked) {
    this.#asked = asked;
    const { account, exchange, prompt } = asked;
    const { record, world } = exchange;
    const now = world.clock.now();
    account.gate.enter(now);
    account.keyQuota?.requests.take(1, now);
    record.usage = account.cache.use(prompt, now);
    this.#charge(record.usage);
    world.records.accept(record);
  }

  /** One event of the stream was handed over. */
  note(event: MessageEventOut): void {
    const { record } = this.#asked.exchange;
    record.usage = { ...record.usage, output: event.output };
    if (event.states !== null) record.reported = event.states;
  }

  /** The whole answer was generated at once; says what it cost. */
  generate(output: number): TokenUsage {
    const { record } = this.#asked.exchange;
    record.usage = { ...record.usage, output };
    return record.usage;
  }

  /** The whole answer was handed over. */
  report(): void {
    const { record } = this.#asked.exchange;
    record.reported = record.usage;
  }

  /** Books the output and gives the permit back, once. */
  end(ending: Ending): void {
    const { account, exchange } = this.#asked;
    const { record } = exchange;
    if (record.ending !== null) return;
    this.#charge({ ...NO_USAGE, output: record.usage.output });
    account.gate.leave();
    exchange.end(ending);
  }

  #charge(usage: TokenUsage): void {
    const { account, exchange, prompt } = this.#asked;
    const { clock, settings } = exchange.world;
    const now = clock.now();
    if (account.keyQuota !== null) return account.keyQuota.charge(usage, now);
    const units = quotaUnits(usage, settings.weights);
    account.quota.charge(units, prompt.family, now);
  }
}
