import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Fingers } from '../../src/terminal/touch';

const target = new EventTarget();
let drags: [number, number][];
let fingers: Fingers;

beforeEach(() => {
  drags = [];
  fingers = new Fingers(target as HTMLElement, {
    drag: (x, y) => drags.push([x, y]),
    pinch: () => {},
    pinchStart: () => {},
    hold: () => {},
    calm: () => true,
  });
  vi.stubGlobal('cancelAnimationFrame', () => {});
});

afterEach(() => {
  fingers.dispose();
  vi.unstubAllGlobals();
});

/** What a browser tells of fingers on its screen. */
function tell(type: string, ...touches: { clientX: number; clientY: number }[]): void {
  target.dispatchEvent(Object.assign(new Event(type, { cancelable: true }), { touches }));
}

test('a drag is told in steps', () => {
  tell('touchstart', { clientX: 100, clientY: 100 });
  tell('touchmove', { clientX: 100, clientY: 120 });
  tell('touchmove', { clientX: 100, clientY: 150 });
  tell('touchend');
  expect(drags).toEqual([
    [0, 20],
    [0, 30],
  ]);
});

test('so it is where one object stands for a finger all the time', () => {
  const finger = { clientX: 100, clientY: 100 };
  tell('touchstart', finger);
  finger.clientY = 120;
  tell('touchmove', finger);
  finger.clientY = 150;
  tell('touchmove', finger);
  tell('touchend');
  expect(drags).toEqual([
    [0, 20],
    [0, 30],
  ]);
});
