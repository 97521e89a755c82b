/** A table that holds so many entries and forgets the one that was asked for least recently. */
export class LruCache<T> {
  readonly #entries = new Map<string, T>();
  readonly #size: number;

  /** @param size at least 1 */
  constructor(size: number) {
    this.#size = size;
  }

  get(id: string): T | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    this.#entries.delete(id); // a Map keeps the order in which its entries came: this one now comes last
    this.#entries.set(id, entry);
    return entry;
  }

  set(id: string, entry: T): void {
    this.#entries.delete(id);
    this.#entries.set(id, entry);
    if (this.#entries.size <= this.#size) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }

  delete(id: string): void {
    this.#entries.delete(id);
  }
}
