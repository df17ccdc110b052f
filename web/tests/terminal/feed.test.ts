import { describe, expect, test } from 'vitest';
import { Feed, HIGH_WATER } from '../../src/terminal/feed';

/** A terminal that parses when it is told to. */
class Slow {
  readonly taken: { bytes: Uint8Array; parsed: () => void }[] = [];
  write(bytes: Uint8Array, parsed: () => void): void {
    this.taken.push({ bytes, parsed });
  }
  parse(): void {
    this.taken.shift()?.parsed();
  }
  get held(): number {
    return this.taken.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }
}

const chunk = (length = 32_768) => new Uint8Array(length);

describe('the feed', () => {
  test('hands over no more than the high-water mark and goes on as it is parsed', () => {
    const slow = new Slow();
    const feed = new Feed(slow);
    let shown = 0;
    for (let index = 0; index < 10; index++) feed.write(chunk(), () => shown++);
    expect(slow.held).toBe(HIGH_WATER);
    expect(shown).toBe(0);
    while (slow.taken.length > 0) {
      slow.parse();
      expect(slow.held).toBeLessThanOrEqual(HIGH_WATER);
    }
    expect(shown).toBe(10);
  });

  test('what is dropped counts as shown, once, and what the terminal holds is shown later', () => {
    const slow = new Slow();
    const feed = new Feed(slow);
    const shown: number[] = [];
    for (let index = 0; index < 8; index++) feed.write(chunk(), () => shown.push(index));
    feed.drop();
    expect(shown).toEqual([4, 5, 6, 7]);
    while (slow.taken.length > 0) slow.parse();
    expect(shown).toEqual([4, 5, 6, 7, 0, 1, 2, 3]);
  });

  test('an act waits for what is before it and holds up what is behind it', () => {
    const slow = new Slow();
    const feed = new Feed(slow);
    const order: string[] = [];
    feed.write(chunk(1), () => order.push('first'));
    feed.then(() => order.push('act'));
    feed.write(chunk(1), () => order.push('second'));
    expect(slow.taken.length).toBe(1);
    slow.parse();
    expect(order).toEqual(['first', 'act']);
    slow.parse();
    expect(order).toEqual(['first', 'act', 'second']);
  });

  test('a terminal that parses at once does not nest', () => {
    const order: number[] = [];
    const feed = new Feed({ write: (_bytes, parsed) => parsed() });
    for (let index = 0; index < 5; index++) feed.write(chunk(), () => order.push(index));
    expect(order).toEqual([0, 1, 2, 3, 4]);
  });

  test('a dropped act is never done', () => {
    const slow = new Slow();
    const feed = new Feed(slow);
    let done = false;
    feed.write(chunk(1), () => {});
    feed.then(() => {
      done = true;
    });
    feed.drop();
    slow.parse();
    expect(done).toBe(false);
  });
});
