import { expect, test } from 'vitest';
import { glide, Track } from '../../src/terminal/momentum';
import { wayOf } from '../../src/terminal/touch';

test('a finger that was moving has speed, one that rested has none', () => {
  const track = new Track();
  for (let at = 0; at <= 80; at += 16) track.add(at, 0, -at * 2);
  expect(track.speed(90)).toEqual({ x: 0, y: -2 });
  expect(track.speed(200)).toEqual({ x: 0, y: 0 });
  expect(new Track().speed(0)).toEqual({ x: 0, y: 0 });
});

test('only what the finger did last counts, and speed has a limit', () => {
  const track = new Track();
  track.add(0, 5000, 0);
  track.add(200, 0, 0);
  track.add(216, 0, 16);
  expect(track.speed(216)).toEqual({ x: 0, y: 1 });
  const wild = new Track();
  wild.add(0, 0, 0);
  wild.add(10, 5000, -5000);
  expect(wild.speed(10)).toEqual({ x: 6, y: -6 });
});

test('a glide slows down, ends, and goes as far in few steps as in many', () => {
  const run = (step: number) => {
    let speed = { x: 0, y: 3 };
    let way = 0;
    let time = 0;
    for (let done = false; !done; time += step) {
      const next = glide(speed, step);
      way += next.moved.y;
      speed = next.speed;
      done = next.done;
    }
    return { way, time };
  };
  const smooth = run(8);
  const rough = run(40);
  expect(smooth.time).toBeLessThan(3000);
  expect(smooth.way).toBeGreaterThan(900);
  expect(Math.abs(smooth.way - rough.way)).toBeLessThan(10);
});

test('a drag goes one way when it plainly does', () => {
  expect(wayOf(3, 4)).toBeUndefined();
  expect(wayOf(20, 5)).toBe('x');
  expect(wayOf(-5, -20)).toBe('y');
  expect(wayOf(20, 18)).toBe('both');
});
