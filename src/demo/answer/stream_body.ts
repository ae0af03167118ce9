/**
 * Turns emissions into a response body at their pace, one event per chunk.
 *
 * @module
 */

import type { Emission } from "./emission.ts";
import { createEncoder, type Encoder } from "./encoding.ts";
import { eventText, type MessageEventOut } from "./event_writer.ts";
import type { Exchange } from "../provider/exchange.ts";
import type { Ending } from "../provider/records.ts";

export interface StreamPlan {
  readonly exchange: Exchange;
  readonly emissions: Iterator<Emission>;
  /** Called for each event as it is handed over. */
  readonly onEvent: (event: MessageEventOut) => void;
  /** Called once with how the stream ended. */
  readonly onEnd: (ending: Ending) => void;
}

/** How long the bytes before a cut need to leave this machine. */
const FLUSH_MS = 5;

/**
 * The reason with which a body is broken off; the server drops the connection.
 */
export class CutOff extends Error {
  constructor() {
    super("Cannot finish the demo answer: it is scripted to break off");
  }
}

export function streamBody(plan: StreamPlan): ReadableStream<Uint8Array> {
  const stream = new EmissionStream(plan);
  return new ReadableStream<Uint8Array>({
    pull: (controller) => stream.pull(controller),
    cancel: () => stream.leave("client_gone"),
  });
}

class EmissionStream {
  readonly #plan: StreamPlan;
  readonly #stop = new AbortController();
  readonly #encoder: Encoder | null;
  #ending: Ending = "ended_early";

  constructor(plan: StreamPlan) {
    this.#plan = plan;
    const encoding = plan.exchange.encoding();
    this.#encoder = encoding === null ? null : createEncoder(encoding);
    plan.exchange.world.openAnswers.add(this.#stop);
  }

  /** Hands over the next bytes, or the end. */
  async pull(
    controller: ReadableStreamDefaultController<Uint8Array>,
  ): Promise<void> {
    try {
      for (;;) {
        const next = this.#plan.emissions.next();
        if (next.done === true) return await this.#close(controller);
        const bytes = await this.#bytesOf(next.value);
        if (bytes === null) continue;
        controller.enqueue(bytes);
        if (next.value.kind === "event") this.#note(next.value);
        return;
      }
    } catch (reason) {
      const isMeant = reason instanceof CutOff || this.#stop.signal.aborted;
      if (!isMeant) this.#plan.exchange.world.crashes.push(reason);
      // Because of a cut or a stopping server; the client sees a break either
      // way.
      this.leave("cut");
      controller.error(reason);
    }
  }

  leave(ending: Ending): void {
    const { exchange, onEnd } = this.#plan;
    this.#stop.abort(new CutOff());
    this.#encoder?.discard();
    exchange.world.openAnswers.delete(this.#stop);
    onEnd(ending);
  }

  async #close(
    controller: ReadableStreamDefaultController<Uint8Array>,
  ): Promise<void> {
    const tail = await this.#encoder?.finish();
    if (tail !== undefined && tail.length > 0) controller.enqueue(tail);
    controller.close();
    this.leave(this.#ending);
  }

  async #bytesOf(emission: Emission): Promise<Uint8Array | null> {
    const { clock } = this.#plan.exchange.world;
    switch (emission.kind) {
      case "event":
        return await this.#encoded(eventText(emission.name, emission.data));
      case "raw":
        return await this.#encoded(emission.text);
      case "pause":
        await clock.sleep(emission.ms, this.#stop.signal);
        return null;
      case "cut":
        await new Promise((resolve) => setTimeout(resolve, FLUSH_MS));
        throw new CutOff();
      case "hang":
        return await this.#untilStopped();
    }
  }

  #untilStopped(): Promise<never> {
    const { signal } = this.#stop;
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  }

  async #encoded(text: string): Promise<Uint8Array> {
    const bytes = new TextEncoder().encode(text);
    return await this.#encoder?.encode(bytes) ?? bytes;
  }

  #note(event: MessageEventOut): void {
    if (event.name === "message_stop") this.#ending = "complete";
    if (event.name === "error") this.#ending = "error_event";
    this.#plan.onEvent(event);
  }
}
