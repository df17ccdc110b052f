/** What is said of a device in the list. */

import type { DeviceEntry } from '../../protocol/message';
import { ago, span } from '../time';

/**
 * Whether and when it was there.
 * @param now seconds since 1970
 */
export function seenWords(device: DeviceEntry, now: number): string {
  if (device.unfinished) return 'pairing not finished yet';
  if (device.connected) return 'connected';
  return device.last_seen === undefined ? 'never seen' : `last seen ${ago(device.last_seen, now)}`;
}

/** Its limits, each in words; none when it may do everything. */
export function limitWords(device: DeviceEntry, now: number): string[] {
  const limits: string[] = [];
  if (device.watch_only) limits.push('watch only');
  if (device.expires_at !== undefined) {
    const left = device.expires_at - now;
    limits.push(left > 0 ? `${span(left)} left` : 'time is over');
  }
  return limits;
}
