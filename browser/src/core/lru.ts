/** Keeps the values used last, within a number of bytes. */

/** A map that forgets what was not used for longest. */
export class Lru<K, V> {
  readonly #bytesMax: number;
  readonly #values = new Map<K, { value: V; bytes: number }>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The value, which now counts as used last. */
  get(key: K): V | undefined {
    const found = this.#values.get(key);
    if (!found) return undefined;
    this.#values.delete(key);
    this.#values.set(key, found);
    return found.value;
  }

  /** Keeps a value of so many bytes; one larger than the whole is not kept. */
  set(key: K, value: V, bytes: number): void {
    this.#drop(key);
    if (bytes > this.#bytesMax) return;
    this.#values.set(key, { value, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#values.keys()) if (this.#bytes > this.#bytesMax) this.#drop(oldest);
  }

  #drop(key: K): void {
    this.#bytes -= this.#values.get(key)?.bytes ?? 0;
    this.#values.delete(key);
  }
}
