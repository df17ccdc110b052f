/** Who uses the app in a browser: looks for what is to be there, clicks it, and types. */

import { expect } from '@playwright/test';
import type { Desk } from '../desk';
import type { Engine, InputSource } from './engine';
import { type Found, find, type Role, type Wanted } from './find';
import { chord, typing } from './keys';

/** How often is looked, in milliseconds. */
const intervals = [30];

export class User {
  readonly engine: Engine;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  // What is on the page

  /** Waits until something of that role and name is there. A name that ends in `…` is a beginning. */
  async sees(role: Role, name: string): Promise<Found> {
    let found: Found | null = null;
    const look = async (): Promise<boolean> => {
      found = await this.engine.evaluate(find, wanted(role, name));
      return found !== null;
    };
    await expect.poll(look, { intervals, message: `${role} “${name}”` }).toBe(true);
    return found as unknown as Found;
  }

  /** Waits until the page shows a text. */
  async reads(text: string | RegExp): Promise<void> {
    const shown = expect.poll(() => this.text(), { intervals });
    await (typeof text === 'string' ? shown.toContain(text) : shown.toMatch(text));
  }

  /** All that the page shows, its spaces as one. */
  text(): Promise<string> {
    return this.engine.evaluate(() => document.body.innerText.replace(/\s+/g, ' '));
  }

  /** Waits until nothing of that role and name is there. */
  async misses(role: Role, name: string): Promise<void> {
    const look = () => this.engine.evaluate(find, wanted(role, name));
    await expect.poll(look, { intervals, message: `${role} “${name}”` }).toBeNull();
  }

  /** Waits until the page has such an element. */
  async has(selector: string): Promise<void> {
    const look = () =>
      this.engine.evaluate((one) => document.querySelector(one) !== null, selector);
    await expect.poll(look, { intervals, message: selector }).toBe(true);
  }

  // What a hand does

  /** Clicks the middle of something, once it is there, on top, enabled, and rests. */
  async clicks(role: Role, name: string): Promise<void> {
    let found: Found | null = null;
    const ready = async (): Promise<boolean> => {
      found = await this.engine.evaluate(find, wanted(role, name));
      return found?.onTop === true && !found.disabled && found.rests;
    };
    await expect.poll(ready, { intervals, message: `${role} “${name}” to click` }).toBe(true);
    const { x, y } = found as unknown as Found;
    await this.engine.input([pressing('mouse', 1, { x, y })]);
  }

  /** Clicks a word twice, which selects it. */
  async selects(at: Point): Promise<void> {
    await this.engine.input([pressing('mouse', 2, at)]);
  }

  /** Touches a point with a finger, and lifts it. */
  async taps(x: number, y: number): Promise<void> {
    await this.engine.input([pressing('touch', 1, { x, y })]);
  }

  /** Lets a finger rest on a point until that means something. */
  async holds(x: number, y: number): Promise<void> {
    const actions = [moving({ x, y }), DOWN, { type: 'pause', duration: 700 }, UP];
    await this.engine.input([{ ...pointer('touch'), actions }]);
  }

  /** Drags a finger from one point to another in steps, and lets it rest there. */
  async drags(from: Point, to: Point): Promise<void> {
    const steps = Array.from({ length: 10 }, (_, at) => ({
      ...moving({
        x: Math.round(from.x + ((to.x - from.x) * (at + 1)) / 10),
        y: Math.round(from.y + ((to.y - from.y) * (at + 1)) / 10),
      }),
      duration: 20,
    }));
    const actions = [moving(from), DOWN, ...steps, { type: 'pause', duration: 150 }, UP];
    await this.engine.input([{ ...pointer('touch'), actions }]);
  }

  async types(text: string): Promise<void> {
    await this.engine.input([typing(text)]);
  }

  /** Presses keys one after the other: `Enter`, `Control+c`. */
  async presses(...names: string[]): Promise<void> {
    for (const name of names) await this.engine.input([chord(name)]);
  }

  /** Turns the wheel over the terminal by so many pixels down. */
  async wheels(deltaY: number): Promise<void> {
    const { x, y } = await this.cell(5, 5);
    const scroll = { type: 'scroll', x, y, deltaX: 0, deltaY, origin: 'viewport' };
    await this.engine.input([{ type: 'wheel', id: 'wheel', actions: [scroll] }]);
  }

  /** Puts a text into the clipboard, as from another page. */
  async copies(text: string): Promise<void> {
    await this.engine.evaluate((copied) => {
      const field = document.createElement('textarea');
      field.value = copied;
      field.setAttribute('aria-label', 'To be copied');
      Object.assign(field.style, { position: 'fixed', inset: '0 0 auto', zIndex: '9' });
      document.body.append(field);
    }, text);
    await this.clicks('textbox', 'To be copied');
    await this.presses('Control+a', 'Control+c');
    await this.engine.evaluate(() =>
      document.querySelector('textarea[aria-label="To be copied"]')?.remove(),
    );
  }

  // The app

  /** Pairs by the link of a fresh offer, up to the sessions. */
  async pairs(desk: Desk): Promise<void> {
    const { link } = await desk.offer();
    await this.engine.goto(link);
    await this.sees('heading', 'Paired with desk');
    await this.clicks('button', 'Open sessions');
    await this.sees('heading', 'Sessions');
  }

  /** Where on the page a cell of the terminal is. */
  cell(column: number, row: number): Promise<{ x: number; y: number }> {
    return this.engine.evaluate(
      (across, down) => {
        const screen = document.querySelector('.xterm-screen')?.getBoundingClientRect();
        const { left, top, width, height } = screen ?? new DOMRect();
        const rows = document.querySelectorAll('.xterm-rows > div').length;
        const x = Math.round(left + ((across + 0.5) * width) / 80);
        return { x, y: Math.round(top + ((down + 0.5) * height) / rows) };
      },
      column,
      row,
    );
  }

  /** Opens a session of the list, and waits for its screen. */
  async opens(name: string): Promise<void> {
    await this.clicks('button', `${name} …`);
    await this.sees('region', `Session ${name}`);
    await this.has('.xterm-screen');
  }

  /** The text of each row of the terminal, without spaces at its end. */
  rows(): Promise<string[]> {
    return this.engine.evaluate(() =>
      [...document.querySelectorAll('.xterm-rows > div')].map((row) =>
        (row.textContent ?? '').replaceAll('\u00a0', ' ').trimEnd(),
      ),
    );
  }

  /** Waits until the terminal shows what matches. */
  async screen(pattern: RegExp): Promise<void> {
    const text = async (): Promise<string> => (await this.rows()).join('\n');
    await expect.poll(text, { intervals }).toMatch(pattern);
  }

  /** Types a line where the focus is, and Enter. */
  async enters(line: string): Promise<void> {
    await this.types(line);
    await this.presses('Enter');
  }
}

function wanted(role: Role, name: string): Wanted {
  const begins = name.endsWith('…');
  return { role, name: begins ? name.slice(0, -1).trimEnd() : name, begins };
}

const DOWN = { type: 'pointerDown', button: 0 };
const UP = { type: 'pointerUp', button: 0 };

interface Point {
  readonly x: number;
  readonly y: number;
}

function moving(to: Point) {
  return { type: 'pointerMove', x: to.x, y: to.y, origin: 'viewport' };
}

function pointer(pointerType: 'mouse' | 'touch') {
  return { type: 'pointer' as const, id: pointerType, parameters: { pointerType } };
}

function pressing(kind: 'mouse' | 'touch', times: number, at: Point): InputSource {
  const presses = Array.from({ length: times }, () => [DOWN, UP]).flat();
  return { ...pointer(kind), actions: [moving(at), ...presses] };
}
