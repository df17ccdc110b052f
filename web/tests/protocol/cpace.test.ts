import { beforeAll, describe, expect, it } from 'vitest';
import {
  generator,
  generatorString,
  intermediateKey,
  lvCat,
  transcriptIr,
} from '../../src/protocol/cpace';
import { multiply, ready } from '../../src/protocol/sodium';
import { hex, toHex, utf8, vectors } from './support';

beforeAll(() => ready);

const draft = vectors('cpace.json');
const upper = (bytes: Uint8Array | undefined) => toHex(bytes ?? new Uint8Array()).toUpperCase();

describe('the values of the CPace draft', () => {
  it('are the strings', () => {
    const { prepend_len, lv_cat, transcript_ir } = draft.strings;
    const counting = (length: number) => Uint8Array.from({ length }, (_, at) => at);
    expect(upper(lvCat(new Uint8Array(0)))).toBe(prepend_len["prepend_len(b'')"]);
    expect(upper(lvCat(utf8('1234')))).toBe(prepend_len["prepend_len(b'1234')"]);
    for (const length of [127, 128]) {
      const name = `prepend_len(bytes(range(${length})))`;
      expect(upper(lvCat(counting(length)))).toBe(prepend_len[name]);
    }
    const parts = ['1234', '5', '', '678'].map(utf8);
    expect(upper(lvCat(...parts))).toBe(lv_cat["lv_cat(b'1234',b'5',b'',b'678')"]);
    for (const [a, ada, b, adb] of [
      ['123', 'PartyA', '234', 'PartyB'],
      ['3456', 'PartyA', '2345', 'PartyB'],
    ] as const) {
      const shares = [
        { element: utf8(a), data: utf8(ada) },
        { element: utf8(b), data: utf8(adb) },
      ] as const;
      const name = `transcript_ir(b'${a}',b'${ada}',b'${b}',b'${adb}')`;
      expect(upper(transcriptIr(...shares))).toBe(transcript_ir[name]);
    }
  });

  it('are the generator', () => {
    const { PRS, CI, sid, ...values } = draft.calculate_generator;
    const given = [hex(PRS), hex(CI), hex(sid)] as const;
    const string = values['generator_string(G.DSI,PRS,CI,sid,H.s_in_bytes)'];
    expect(upper(generatorString(...given))).toBe(string);
    expect(upper(generator(...given))).toBe(values['encoded generator g']);
  });

  it('are one agreement', () => {
    const { PRS, CI, sid, ya, yb, Ya, Yb, K, ADa, ADb, ISK_IR } = draft.protocol;
    const g = generator(hex(PRS), hex(CI), hex(sid));
    expect(upper(multiply(hex(ya), g))).toBe(Ya);
    expect(upper(multiply(hex(yb), g))).toBe(Yb);
    expect(upper(multiply(hex(ya), hex(Yb)))).toBe(K);
    const shares = [
      { element: hex(Ya), data: hex(ADa) },
      { element: hex(Yb), data: hex(ADb) },
    ] as const;
    const transcript = transcriptIr(...shares);
    expect(upper(intermediateKey(hex(sid), hex(ya), hex(Yb), transcript))).toBe(ISK_IR);
    expect(upper(intermediateKey(hex(sid), hex(yb), hex(Ya), transcript))).toBe(ISK_IR);
  });

  it('are points, and what is none', () => {
    const { s, X, ...results } = draft.points.Valid;
    expect(upper(multiply(hex(s), hex(X)))).toBe(results['G.scalar_mult_vfy(s,X)']);
    for (const name of ['Invalid Y1', 'Invalid Y2']) {
      expect(multiply(hex(s), hex(draft.points[name])), name).toBeUndefined();
    }
  });
});
