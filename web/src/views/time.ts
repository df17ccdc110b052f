/** Times in words. All counts are seconds. */

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long something lasts, in its largest unit: `3s`, `12m`, `2h`, `5d`. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < MINUTE) return `${whole}s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)}m`;
  if (whole < 2 * DAY) return `${Math.floor(whole / HOUR)}h`;
  return `${Math.floor(whole / DAY)}d`;
}

/**
 * How long ago something was.
 * @param at seconds since 1970, by the daemon's clock
 * @param now seconds since 1970, by this device's clock: a little ahead or behind is "just now"
 */
export function ago(at: number, now: number): string {
  return now - at < 2 ? 'just now' : `${span(now - at)} ago`;
}

/**
 * A moment, with its day where that is another than today.
 * @param at as `Date.now()`
 * @param now the same
 */
export function moment(at: number, now: number): string {
  const [then, today] = [new Date(at), new Date(now)];
  const time = then.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  if (then.toDateString() === today.toDateString()) return time;
  return `${then.toLocaleDateString()}, ${time}`;
}

/** What is left of something that counts down: `4:59`. */
export function countdown(seconds: number): string {
  const left = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(left / MINUTE)}:${String(left % MINUTE).padStart(2, '0')}`;
}

/** A length that people choose, in words: `2 hours`. */
export function words(seconds: number): string {
  const units: readonly (readonly [number, string])[] = [
    [DAY, 'day'],
    [HOUR, 'hour'],
    [MINUTE, 'minute'],
  ];
  for (const [size, unit] of units) {
    const count = Math.round(seconds / size);
    if (count >= 1 && seconds >= size) return count === 1 ? `1 ${unit}` : `${count} ${unit}s`;
  }
  return 'less than a minute';
}
