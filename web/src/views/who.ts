/** Who is meant by the names that a daemon gives to those who use its sessions. */

/** What a daemon calls its own computer; no device can be called so. */
const ITS_COMPUTER = 'this computer';

/**
 * @param name as the daemon says it
 * @param me the name of this device there
 * @param daemon the daemon's own name
 */
export function whoIs(name: string, me: string | undefined, daemon: string): string {
  if (name === me) return 'this device';
  return name === ITS_COMPUTER ? daemon : name;
}
