/**
 * Ctrl-C while another program has the terminal: the system sends it to both,
 * and it is meant for that program alone.
 *
 * @module
 */

export class Interrupts {
  #away = 0;

  /** Lets the interrupt through unless somebody else has the terminal. */
  pass(listener: () => void): void {
    if (this.#away === 0) listener();
  }

  /** Runs `run` and keeps interrupts from this process meanwhile. */
  async whileAway<Result>(run: () => Promise<Result>): Promise<Result> {
    this.#away++;
    try {
      return await run();
    } finally {
      this.#away--;
    }
  }
}
