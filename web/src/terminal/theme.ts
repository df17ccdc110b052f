/**
 * The terminal's colours, light and dark. Every ANSI colour but the one that is meant to vanish
 * has a contrast of 4.5 to the background; xterm.js sees to what programs choose themselves.
 */

import type { ITheme } from '@xterm/xterm';

/** WCAG AA for text. */
export const LEAST_CONTRAST = 4.5;

export const DARK: ITheme = {
  background: '#0f1112',
  foreground: '#e4e6e6',
  cursor: '#4dd3b4',
  cursorAccent: '#0f1112',
  selectionBackground: '#1f4f47',
  selectionInactiveBackground: '#293235',
  scrollbarSliderBackground: '#8a93a366',
  scrollbarSliderHoverBackground: '#8a93a399',
  scrollbarSliderActiveBackground: '#8a93a3cc',
  black: '#23272f',
  red: '#ff7b72',
  green: '#7fd18b',
  yellow: '#e5c07b',
  blue: '#7cb0ff',
  magenta: '#d8a1f5',
  cyan: '#6fd3d8',
  white: '#cfd4dc',
  brightBlack: '#8b93a1',
  brightRed: '#ff9d96',
  brightGreen: '#a2e6ab',
  brightYellow: '#f5d896',
  brightBlue: '#a6c9ff',
  brightMagenta: '#e8c2fb',
  brightCyan: '#9be8ec',
  brightWhite: '#ffffff',
};

export const LIGHT: ITheme = {
  background: '#fdfdfb',
  foreground: '#191b1c',
  cursor: '#0a7260',
  cursorAccent: '#fdfdfb',
  selectionBackground: '#bfe3da',
  selectionInactiveBackground: '#dfe3e1',
  scrollbarSliderBackground: '#5b647366',
  scrollbarSliderHoverBackground: '#5b647399',
  scrollbarSliderActiveBackground: '#5b6473cc',
  black: '#1d2127',
  red: '#b3261e',
  green: '#1f6f33',
  yellow: '#7a5600',
  blue: '#1f5fc4',
  magenta: '#8636a8',
  cyan: '#0b6a70',
  white: '#e6e8eb',
  brightBlack: '#5b6473',
  brightRed: '#c8322a',
  brightGreen: '#27783b',
  brightYellow: '#856000',
  brightBlue: '#2a68cf',
  brightMagenta: '#9440b8',
  brightCyan: '#10727a',
  brightWhite: '#f4f5f6',
};

/** The theme that the app shows now: what the user chose, else what the system prefers. */
export function themeNow(): ITheme {
  const chosen = document.documentElement.dataset.theme;
  const dark =
    chosen === 'dark' || (chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  return dark ? DARK : LIGHT;
}

/** Calls `changed` whenever the app's theme may be another, until the returned function is called. */
export function onTheme(changed: () => void): () => void {
  const system = matchMedia('(prefers-color-scheme: dark)');
  system.addEventListener('change', changed);
  const observer = new MutationObserver(changed);
  observer.observe(document.documentElement, { attributeFilter: ['data-theme'] });
  return () => {
    system.removeEventListener('change', changed);
    observer.disconnect();
  };
}
