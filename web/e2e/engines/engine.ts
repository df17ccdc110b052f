/** A browser that is no Chromium, as far as these tests need one. */

/** One tick of each device, in the form that both protocols of WebDriver take. */
export interface InputSource {
  readonly type: 'key' | 'pointer' | 'wheel' | 'none';
  readonly id: string;
  readonly parameters?: { readonly pointerType: 'mouse' | 'touch' };
  readonly actions: readonly object[];
}

/** One browser with one page. */
export interface Engine {
  /**
   * Begins anew: a profile that has never been anywhere, and an empty page.
   * @param webgl whether pages may draw with it, where there is any; else text is in the document,
   *   where a test reads it
   */
  begin(webgl: boolean): Promise<void>;
  /** Goes to an address, and waits until it is loaded. */
  goto(url: string): Promise<void>;
  reload(): Promise<void>;
  /** Calls a function in the page with values of JSON, and gives back its own. */
  evaluate<A extends unknown[], R>(run: (...values: A) => R | Promise<R>, ...values: A): Promise<R>;
  /** Moves what a hand moves: keys, a mouse, a finger, a wheel. */
  input(sources: readonly InputSource[]): Promise<void>;
  /** Gives the page about this size; how small a window can be is the browser's affair. */
  resize(width: number, height: number): Promise<void>;
  /** A picture of the page, as a PNG. */
  screenshot(): Promise<Buffer>;
  /** What went wrong since it began: errors, and breaches of the page's policy. */
  faults(): Promise<string[]>;
  close(): Promise<void>;
}

/** What is called in a page: its source, with what it is given and gives back as JSON. */
export function callable(run: (...values: never[]) => unknown): string {
  return `async (values) => JSON.stringify(await (${run})(...JSON.parse(values))) ?? 'null'`;
}
