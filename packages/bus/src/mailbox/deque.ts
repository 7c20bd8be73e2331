/**
 * A queue that is pushed at the tail and shifted from the head in O(1): one array whose dead head is cut off now and
 * then.
 */
export class Deque<T> {
  #items: T[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  /** @returns the new length */
  push(value: T): number {
    return this.#items.push(value) - this.#head;
  }

  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const value = this.#items[this.#head]!;
    this.#items[this.#head++] = undefined as T;
    this.#compact();
    return value;
  }

  /** Puts one back at the head. */
  unshift(value: T): void {
    if (this.#head > 0) this.#items[--this.#head] = value;
    else this.#items.unshift(value);
  }

  pop(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const value = this.#items.pop();
    this.#compact();
    return value;
  }

  at(index: number): T | undefined {
    return this.#items[this.#head + index];
  }

  removeAt(index: number): void {
    this.#items.splice(this.#head + index, 1);
    this.#compact();
  }

  indexOf(value: T): number {
    const index = this.#items.indexOf(value, this.#head);
    return index < 0 ? -1 : index - this.#head;
  }

  values(): T[] {
    return this.#items.slice(this.#head);
  }

  #compact(): void {
    if (this.#head === this.#items.length) {
      this.#items.length = 0;
      this.#head = 0;
    } else if (this.#head > 32 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }
}
