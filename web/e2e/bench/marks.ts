/** What a page is watched by from its first moment, without the page's help. */

/** What the page remembers for the benchmarks. Times are milliseconds of `performance.now()`. */
export interface Marks {
  /** When each was first painted. */
  readonly painted: Partial<Record<'form' | 'paired' | 'terminal' | 'done', number>>;
  /** For each key, from its event to the frame that shows what came back. */
  readonly echoes: number[];
  /** For each key, from its event to the next message of the daemon. */
  readonly answers: number[];
  /** Bytes that came through WebSockets, and in how many messages. */
  received: number;
  messages: number;
  /** How long workers ran until their first answer: the fingerprint. */
  readonly workers: number[];
}

/** What the window dispatches when something was painted first; `watchMarks` goes there alone. */
const PAINTED = 'bench-painted';

/**
 * The script that waits in a page for what is painted first, without asking again and again; after
 * `patience` milliseconds it fails with what the page shows.
 */
export function whenPainted(name: keyof Marks['painted'], patience: number): string {
  const [key, event] = [name, PAINTED].map((one) => JSON.stringify(one));
  return `new Promise((resolve, reject) => {
    const fail = () => reject(new Error('never painted: ' + document.body.innerText));
    const late = setTimeout(fail, ${patience});
    const look = () => {
      if (marks.painted[${key}] === undefined) return;
      clearTimeout(late);
      resolve(marks.painted[${key}]);
    };
    window.addEventListener(${event}, look);
    look();
  })`;
}

/** Runs in the page before anything of it. */
export function watchMarks(): void {
  const marks: Marks = {
    painted: {},
    echoes: [],
    answers: [],
    received: 0,
    messages: 0,
    workers: [],
  };
  Object.assign(window, { marks });
  const text = (selector: string): string => document.querySelector(selector)?.textContent ?? '';
  const shown: Record<keyof Marks['painted'], () => boolean> = {
    form: () => document.querySelector('form input') !== null,
    paired: () => text('h1').startsWith('Paired with'),
    terminal: () => text('.xterm-rows').includes('$'),
    // It is asked for each frame, and in the last rows.
    done: () =>
      [...(document.querySelector('.xterm-rows')?.children ?? [])]
        .slice(-2)
        .some((row) => row.textContent?.includes('ALL-SHOWN')),
  };
  let pressed: number | undefined;
  /** As `pressed`, until a message comes. */
  let unanswered: number | undefined;
  const nextFrame = window.requestAnimationFrame.bind(window);
  /** Whether a frame's callback runs, whose changes that same frame paints. */
  let inFrame = false;
  window.requestAnimationFrame = (callback) =>
    nextFrame((time) => {
      inFrame = true;
      // Behind the observer below, which hears in a microtask of what the callback changes first.
      try {
        callback(time);
      } finally {
        queueMicrotask(() => {
          inFrame = false;
        });
      }
    });
  const look = (): void => {
    const key = pressed;
    pressed = undefined;
    const due = Object.entries(shown).filter(([name, seen]) => !(name in marks.painted) && seen());
    if (key === undefined && due.length === 0) return;
    const painting = (): void => {
      // A message posted in a frame's callback is handled behind its painting.
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        const now = performance.now();
        if (key !== undefined) marks.echoes.push(now - key);
        for (const [name] of due) Object.assign(marks.painted, { [name]: now });
        if (due.length > 0) window.dispatchEvent(new Event('bench-painted'));
      };
      port2.postMessage(0);
    };
    if (inFrame) painting();
    else nextFrame(painting);
  };
  new MutationObserver(look).observe(document, {
    subtree: true,
    childList: true,
    characterData: true,
  });
  const press = ({ timeStamp }: Event): void => {
    pressed = timeStamp;
    unanswered = timeStamp;
  };
  window.addEventListener('keydown', press, { capture: true });
  window.WebSocket = class extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      this.addEventListener('message', ({ data }) => {
        if (unanswered !== undefined) marks.answers.push(performance.now() - unanswered);
        unanswered = undefined;
        marks.messages += 1;
        marks.received += data instanceof ArrayBuffer ? data.byteLength : 0;
      });
    }
  };
  window.Worker = class extends Worker {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      const start = performance.now();
      const first = (): number => marks.workers.push(performance.now() - start);
      this.addEventListener('message', first, { once: true });
    }
  };
}
