/**
 * Parts of the page that come when they are needed. A browser that did not get one remembers that
 * as long as the page is open, and asks for it again by another name only.
 */

/** Counts such names. */
let again = 0;

/**
 * The script that did not come, by what the browser says of it.
 * @param origin where the page is: nothing else is ever loaded
 */
export function missingScript(error: unknown, origin: string): string | undefined {
  const script = /https?:\/\/\S+?\.js(?=$|[\s?"'])/.exec(String(error))?.[0];
  return script?.startsWith(`${origin}/assets/`) ? script : undefined;
}

async function attempt<Part>(load: () => Promise<Part>): Promise<Part> {
  try {
    return await load();
  } catch (error) {
    const script = missingScript(error, window.location.origin);
    if (script === undefined) throw error;
    again += 1;
    return import(/* @vite-ignore */ `${script}?again=${again}`);
  }
}

/** Makes what gets a part: once, and anew after each time that it did not come. */
export function part<Part>(load: () => Promise<Part>): () => Promise<Part> {
  let coming: Promise<Part> | undefined;
  return () => {
    coming ??= attempt(load).catch((error: unknown) => {
      coming = undefined;
      throw error;
    });
    return coming;
  };
}
