/** The part of the window that an on-screen keyboard leaves free. */

export interface FreeArea {
  /** CSS pixels from the top of the layout viewport. */
  readonly top: number;
  readonly height: number;
}

/** How much of the page's lower end, of so many CSS pixels, is covered. */
export function coveredBelow({ top, height }: FreeArea, page: number): number {
  return Math.max(0, Math.round(page - top - height));
}

/** Calls `changed` now and whenever the free part is another, until the returned function is called. */
export function onFreeArea(changed: (area: FreeArea) => void): () => void {
  const visual = window.visualViewport;
  let last: FreeArea | undefined;
  const tell = () => {
    // A page that was zoomed into keeps its layout: only a keyboard makes room.
    if (visual && visual.scale > 1.01) return;
    const area = visual
      ? { top: visual.offsetTop, height: visual.height }
      : { top: 0, height: window.innerHeight };
    if (last && last.top === area.top && last.height === area.height) return;
    last = area;
    changed(area);
  };
  visual?.addEventListener('resize', tell);
  visual?.addEventListener('scroll', tell);
  window.addEventListener('resize', tell);
  tell();
  return () => {
    visual?.removeEventListener('resize', tell);
    visual?.removeEventListener('scroll', tell);
    window.removeEventListener('resize', tell);
  };
}
