/** A message on its way: the input says how it is changed. */

/** Reads an input from its beginning; behind its end there are zeros. */
export class Script {
  #at = 0;

  constructor(readonly input: Uint8Array) {}

  get isOver(): boolean {
    return this.#at >= this.input.length;
  }

  byte(): number {
    const byte = this.input[this.#at] ?? 0;
    this.#at += 1;
    return byte;
  }

  /** Up to `most` bytes. */
  bytes(most: number): Uint8Array {
    const bytes = this.input.slice(this.#at, this.#at + most);
    this.#at += most;
    return bytes;
  }

  /** What arrives of `sent`: itself, something near it, or something else. */
  transit(sent: Uint8Array): Uint8Array {
    const way = this.byte() % 4;
    if (way === 0) return sent;
    if (way === 1) return this.bytes(this.byte());
    let message = sent;
    for (let changes = 1 + (this.byte() % 4); changes > 0; changes -= 1) {
      message = this.#changed(message);
    }
    return message;
  }

  #changed(message: Uint8Array): Uint8Array {
    const kind = this.byte() % 4;
    const at = ((this.byte() << 8) | this.byte()) % (message.length || 1);
    const rest = message.subarray(at);
    switch (kind) {
      case 0: {
        const changed = message.slice();
        if (at < changed.length) changed[at] = (changed[at] ?? 0) ^ this.byte();
        return changed;
      }
      case 1:
        return message.slice(0, at);
      case 2:
        return Uint8Array.of(...message, ...this.bytes(this.byte() % 32));
      default:
        return Uint8Array.of(...message.subarray(0, at), ...rest.subarray(this.byte()));
    }
  }
}
