/** What a device reads in both handshakes: no changed message leads on, or looks like a refusal. */
import assert from 'node:assert/strict';
import { type Code, isCode, parseCode } from '../src/protocol/code';
import { ProtocolError } from '../src/protocol/error';
import { type Accepted, connect } from '../src/protocol/handshake';
import { pair } from '../src/protocol/pairing';
import { equal, kxKeyPair, randomBytes } from '../src/protocol/sodium';
import { accept, pskOf, readM1, readP1, refuse, type Verdict } from '../tests/protocol/daemon';
import { Script } from './transit';

const code: Code = (() => {
  const parsed = parseCode('K7QM-3FBR-9TZX');
  assert(isCode(parsed));
  return parsed;
})();

/** The failure of `read`, or what it returned. */
function outcome<T>(read: () => T): { value: T } | { failure: ProtocolError['failure'] } {
  try {
    return { value: read() };
  } catch (error) {
    assert(error instanceof ProtocolError, `${error}`);
    return { failure: error.failure };
  }
}

/** A step before the verdict: it leads on exactly when what was sent arrived. */
function checkStep(read: () => unknown, changed: boolean): void {
  const came = outcome(read);
  assert.equal('value' in came, !changed);
  if ('failure' in came) {
    assert(came.failure.kind !== 'refused' && came.failure.kind !== 'tampered');
  }
}

function checkVerdict(
  script: Script,
  verdict: Verdict,
  read: (message: Uint8Array) => Accepted,
): void {
  const first = script.bytes(script.byte() % 80);
  const accepts = script.byte() % 2 === 0;
  const reason = script.byte();
  const sent = accepts ? accept(verdict, first).message : refuse(verdict, Uint8Array.of(reason));
  const message = script.transit(sent);
  const changed = !equal(message, sent);
  const came = outcome(() => read(message));
  if ('value' in came) {
    assert(accepts && !changed);
    assert.deepEqual(came.value.first, first);
  } else {
    assert(changed || !accepts, `${came.failure.kind}`);
    if (came.failure.kind === 'refused') assert(!changed && !accepts);
  }
}

export function handshake(input: Uint8Array): void {
  const script = new Script(input);
  const step = script.byte() % 4;
  const daemon = kxKeyPair();
  if (step < 2) {
    const credentials = {
      daemonKey: daemon.publicKey,
      device: kxKeyPair(),
      token: randomBytes(32),
    };
    const { state, m1 } = connect(credentials);
    const { m2, readM3 } = readM1(daemon, m1);
    if (step === 0) {
      const came = script.transit(m2);
      return checkStep(() => state.readM2(came), !equal(came, m2));
    }
    const { state: last, m3 } = state.readM2(m2);
    const verdict = readM3(m3, pskOf(credentials.token));
    return checkVerdict(script, verdict, (message) => last.readM4(message));
  }
  const { state, p1 } = pair(code);
  const { p2, readP3 } = readP1(code, daemon, p1);
  if (step === 2) {
    const came = script.transit(p2);
    return checkStep(() => state.readP2(came), !equal(came, p2));
  }
  const { state: last, p3 } = state.readP2(p2).prove('Pixel 9');
  checkVerdict(script, readP3(p3), (message) => last.readP4(message));
}
