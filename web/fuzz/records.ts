/** One direction of a channel beside a model of it: a record opens exactly when it is the next. */
import assert from 'node:assert/strict';
import { MAX_PLAINTEXT, MAX_RECORD, Opener, Sealer } from '../src/protocol/channel';
import { ProtocolError } from '../src/protocol/error';
import { equal } from '../src/protocol/sodium';
import { Script } from './transit';

interface Sent {
  readonly record: Uint8Array;
  readonly plaintext: Uint8Array;
  readonly final: boolean;
}

const STEPS = 24;

export function records(input: Uint8Array): void {
  const script = new Script(input);
  const key = new Uint8Array(32).fill(7);
  const { sealer, header } = Sealer.begin(key.slice());
  const opener = new Opener(key.slice(), header);
  const sent: Sent[] = [];
  let now = 0;
  let next = 0;
  let isClosed = false;
  let isBroken = false;

  const deliver = (record: Uint8Array) => {
    const due = sent[next];
    const isDue = due !== undefined && equal(record, due.record) && !isBroken;
    const wasEnded = opener.hasEnded;
    try {
      const opened = opener.open(record);
      assert(isDue && !wasEnded);
      assert.deepEqual(opened.plaintext, due.plaintext);
      assert.equal(opened.final, due.final);
      next += 1;
    } catch (error) {
      assert(error instanceof ProtocolError, `${error}`);
      assert.equal(error.failure.kind, wasEnded ? 'ended' : 'record');
      assert(wasEnded || !isDue);
      if (!wasEnded) isBroken = true;
    }
    assert(!(isBroken && opener.hasEnded));
  };

  for (let steps = 0; steps < STEPS && !script.isOver; steps += 1) {
    const action = script.byte() % 5;
    if (action < 2 && !isClosed) {
      const long = script.byte();
      const plaintext =
        long === 255 ? new Uint8Array(MAX_PLAINTEXT - (script.byte() % 70)) : script.bytes(long);
      now += script.byte() * 60_000;
      const record = sealer.seal(now, plaintext);
      assert.equal(record.length, (Math.floor(plaintext.length / 64) + 1) * 64 + 17);
      assert(record.length <= MAX_RECORD);
      sent.push({ record, plaintext, final: false });
    } else if (action === 2 && !isClosed) {
      const plaintext = script.bytes(script.byte() % 100);
      sent.push({ record: sealer.finish(plaintext), plaintext, final: true });
      isClosed = true;
    } else if (action === 3) {
      deliver(
        script.transit(sent[script.byte() % (sent.length || 1)]?.record ?? new Uint8Array(0)),
      );
    } else {
      deliver(script.transit(sent[next]?.record ?? new Uint8Array(0)));
    }
  }
}
