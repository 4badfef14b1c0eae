/** Follows a value that changes while work on an earlier one goes on. */

/** Works on the newest value, one at a time and in order: what is replaced before its turn is left out. */
export class Newest<T> {
  readonly #work: (value: T) => Promise<void>;
  #next: { readonly value: T } | null = null;
  #busy = false;

  constructor(work: (value: T) => Promise<void>) {
    this.#work = work;
  }

  /** Whether a newer value waits for its turn. */
  get outdated(): boolean {
    return !!this.#next;
  }

  /** There is a newer value. Work that fails keeps nothing of what came after it from its turn. Resolves once it, and whatever came after it meanwhile, is worked on; at once if that goes on already. */
  async put(value: T): Promise<void> {
    this.#next = { value };
    if (this.#busy) return;
    this.#busy = true;
    for (let next: { readonly value: T } | null; (next = this.#next); ) {
      this.#next = null;
      await this.#work(next.value).catch(() => undefined);
    }
    this.#busy = false;
  }
}
