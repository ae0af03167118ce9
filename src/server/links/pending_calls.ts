/**
 * Questions from one thread to another that wait for their answers.
 *
 * @module
 */

export class PendingCalls<Answer> {
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #limitMs: number;
  /** Stands for an answer that does not come in time. */
  readonly #late: Answer;
  #count = 0;

  constructor(limitMs: number, late: Answer) {
    this.#limitMs = limitMs;
    this.#late = late;
  }

  /**
   * Sends the question by `post` under a new number. Resolves to its answer.
   */
  ask(post: (id: number) => void): Promise<Answer> {
    const id = ++this.#count;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.take(id, this.#late), this.#limitMs);
      this.#waiting.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      post(id);
    });
  }

  /** Takes the answer to question `id`; drops it if nobody waits for it. */
  take(id: number, answer: Answer): void {
    this.#waiting.get(id)?.(answer);
    this.#waiting.delete(id);
  }
}
