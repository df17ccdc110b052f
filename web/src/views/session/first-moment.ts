/**
 * The first moment of a sheet that a program can raise: under a thumb that was about to tap
 * something else.
 */

/** How long it is, in milliseconds. */
const MOMENT = 600;

export class FirstMoment {
  /** @param since when the sheet came up, on the clock of `performance.now` */
  constructor(private readonly since = performance.now()) {}

  /**
   * Whether what was done then was meant for the sheet.
   * @param at when an event was made, its `timeStamp`: it may be handled much later
   */
  heeds(at: number): boolean {
    return at - this.since >= MOMENT;
  }
}
