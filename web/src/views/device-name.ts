/** The name that this browser proposes for itself as a device. */

/** What a browser tells of itself. */
export interface BrowserFacts {
  readonly userAgent: string;
  /** `navigator.userAgentData`'s `model`, where there is one. */
  readonly model?: string;
  /** `navigator.maxTouchPoints`: an iPad says that it is a Mac, and Macs have none. */
  readonly touchPoints?: number;
}

const BROWSERS: readonly (readonly [RegExp, string])[] = [
  [/\bEdgA?\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\bFirefox\/|\bFxiOS\//, 'Firefox'],
  [/Chrome\/|\bCriOS\/|\bChromium\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
];

const SYSTEMS: readonly (readonly [RegExp, string])[] = [
  [/\bAndroid\b/, 'Android'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b|\bMacintosh\b/, 'Mac'],
  [/\bLinux\b|\bX11\b/, 'Linux'],
];

function first(table: readonly (readonly [RegExp, string])[], text: string): string | undefined {
  return table.find(([pattern]) => pattern.test(text))?.[1];
}

/** A phone's model in the older form of the user agent; newer ones say `K` for every phone. */
function androidModel(userAgent: string): string | undefined {
  const model = /Android [\d.]+; ([^;)]+?)(?: Build\/[^)]*)?\)/.exec(userAgent)?.[1]?.trim();
  return model && model !== 'K' && !/^(rv:|Mobile|Tablet)/.test(model) ? model : undefined;
}

/** Proposes a name of at most 64 bytes: `Pixel 9`, `iPhone`, `Firefox on Linux`. */
export function proposeName({ userAgent, model, touchPoints = 0 }: BrowserFacts): string {
  if (/\biPhone\b/.test(userAgent)) return 'iPhone';
  if (/\biPad\b/.test(userAgent)) return 'iPad';
  if (/\bMacintosh\b/.test(userAgent) && touchPoints > 1) return 'iPad';
  const known = model?.trim() || androidModel(userAgent);
  if (known) return known.slice(0, 40);
  const browser = first(BROWSERS, userAgent);
  const system = first(SYSTEMS, userAgent);
  if (system === 'Android') {
    const what = /\bMobile\b/.test(userAgent) ? 'Android phone' : 'Android tablet';
    return browser === undefined || browser === 'Chrome' ? what : `${browser} on ${what}`;
  }
  if (browser && system) return `${browser} on ${system}`;
  return browser ?? system ?? 'Browser';
}

interface UserAgentData {
  getHighEntropyValues(hints: string[]): Promise<{ model?: string }>;
}

/** Asks this browser; the model is told on secure pages only. */
export async function ownName(navigator: Navigator): Promise<string> {
  const data = (navigator as Navigator & { userAgentData?: UserAgentData }).userAgentData;
  const told = await data?.getHighEntropyValues(['model']).catch(() => undefined);
  return proposeName({
    userAgent: navigator.userAgent,
    touchPoints: navigator.maxTouchPoints,
    ...(told?.model ? { model: told.model } : {}),
  });
}

/** The bytes that a name takes on the wire; a device's has 1 to 64. */
export function nameBytes(name: string): number {
  return new TextEncoder().encode(name).length;
}
