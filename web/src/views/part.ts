/**
 * Parts of the page that come when they are needed. Some browsers remember one that did not come as
 * long as the page is open, and ask for it again by another name only.
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

/** A script of the part's own comes, and the part does not: only a page loaded anew may have it. */
export class Remembered extends Error {}

/** Whether the daemon gives a script. */
async function comes(script: string): Promise<boolean> {
  const answer = await fetch(script, { method: 'HEAD', cache: 'no-store' }).catch(() => undefined);
  return answer?.ok === true;
}

async function attempt<Part>(load: () => Promise<Part>): Promise<Part> {
  try {
    return await load();
  } catch (error) {
    const script = missingScript(error, window.location.origin);
    if (script === undefined) throw error;
    again += 1;
    const anew: Promise<Part> = import(/* @vite-ignore */ `${script}?again=${again}`);
    return anew.catch(async (cause: unknown) => {
      // What it imports in turn has no other name.
      throw (await comes(script)) ? new Remembered(script, { cause }) : cause;
    });
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
