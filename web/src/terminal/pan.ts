/**
 * Where a terminal that is larger than its view is looked at. Down the page everything is one way:
 * the lines that have scrolled off, then the rows of the screen. All lengths are CSS pixels.
 */

export interface Extent {
  readonly cellWidth: number;
  readonly cellHeight: number;
  readonly columns: number;
  readonly rows: number;
  readonly viewWidth: number;
  readonly viewHeight: number;
  /** Lines that have scrolled off. */
  readonly history: number;
}

export interface Place {
  /** The first line shown by the terminal: `history` at the bottom. */
  readonly line: number;
  /** How far the terminal is shifted left and up in its view. */
  readonly left: number;
  readonly top: number;
}

const clamp = (value: number, most: number): number => Math.min(Math.max(value, 0), most);

/** How far the screen reaches beyond its view to the side. */
export function widest(extent: Extent): number {
  return Math.max(0, extent.columns * extent.cellWidth - extent.viewWidth);
}

/** How far the screen reaches beyond its view downwards. */
export function tallest(extent: Extent): number {
  return Math.max(0, extent.rows * extent.cellHeight - extent.viewHeight);
}

/** The way down from the first line of history to the last row of the screen. */
export function deepest(extent: Extent): number {
  return extent.history * extent.cellHeight + tallest(extent);
}

/**
 * The place at a distance from the first line of history.
 * @param x, y may be out of range: they are brought back
 */
export function placeAt(extent: Extent, x: number, y: number): Place {
  const slack = tallest(extent);
  const way = clamp(y, deepest(extent));
  const exact = way / extent.cellHeight;
  // A view that shows the whole screen moves by whole lines, a smaller one by pixels.
  const line = Math.min(
    extent.history,
    slack >= extent.cellHeight ? Math.floor(exact) : Math.round(exact),
  );
  return {
    line,
    left: clamp(x, widest(extent)),
    top: clamp(way - line * extent.cellHeight, slack),
  };
}

/** The distance of a place from the first line of history. */
export function distance(extent: Extent, place: Place): number {
  return place.line * extent.cellHeight + place.top;
}

/**
 * Where the view has to be, along one axis, for a cell to be seen: as near as it goes to where it is.
 * @param margin what is to be seen around the cell, where there is room
 */
export function reveal(
  now: number,
  cell: number,
  size: number,
  view: number,
  most: number,
  margin: number,
): number {
  const around = Math.min(margin, Math.max(0, (view - size) / 2));
  const low = cell + size + around - view;
  const high = cell - around;
  return clamp(now < low ? low : now > high ? high : now, most);
}

/**
 * As `reveal`, along a line: lines begin at 0, and what is seen from there on is.
 */
export function revealInLine(
  now: number,
  cell: number,
  size: number,
  view: number,
  most: number,
  margin: number,
): number {
  return cell + size + margin <= view ? 0 : reveal(now, cell, size, view, most, margin);
}
