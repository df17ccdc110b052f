/** Draws with WebGL where that works, and falls back to the DOM for good where it does not. */

import type { IDisposable, Terminal } from '@xterm/xterm';

/** Pixels by which rounding may make a canvas differ from what its ratio says. */
const ROUNDING = 2;

/** Whether WebGL failed in this page: one failure is enough. */
let failed = false;

/**
 * Loads the WebGL renderer into an opened terminal; until then, and if it fails, the DOM renders.
 * @returns what stops it
 */
export function drawWithWebgl(terminal: Terminal): IDisposable {
  let disposed = false;
  let held: IDisposable[] = [];
  const stop = () => {
    for (const one of held) one.dispose();
    held = [];
  };
  const giveUp = () => {
    failed = true;
    stop();
  };
  const start = async () => {
    const { WebglAddon } = await import('@xterm/addon-webgl');
    if (disposed || failed) return;
    const webgl = new WebglAddon();
    held.push(webgl);
    webgl.onContextLoss(giveUp);
    terminal.loadAddon(webgl);
    held.push(onWrongPixels(terminal, giveUp));
  };
  if (!failed) start().catch(giveUp);
  return {
    dispose: () => {
      disposed = true;
      stop();
    },
  };
}

/**
 * Watches whether the browser's device pixels agree with its ratio. Where they do not, as on a
 * screen that is only emulated, WebGL draws beside its canvas.
 */
function onWrongPixels(terminal: Terminal, wrong: () => void): IDisposable {
  const canvas = terminal.element?.querySelector('.xterm-screen canvas:not([class])');
  const observer = new ResizeObserver(([entry]) => {
    const real = entry?.devicePixelContentBoxSize?.[0]?.inlineSize;
    const css = entry?.contentBoxSize[0]?.inlineSize;
    if (!real || !css) return;
    if (Math.abs(real - css * window.devicePixelRatio) > ROUNDING) wrong();
  });
  try {
    if (canvas) observer.observe(canvas, { box: 'device-pixel-content-box' });
  } catch {
    // Safari tells no device pixels. There is nothing to compare, and nothing known to be wrong.
  }
  return { dispose: () => observer.disconnect() };
}
