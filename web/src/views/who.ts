/** Who is meant by the names that a daemon gives to those who use its sessions. */

/** What a daemon calls its own computer, and what that is from here: no device can be called so. */
const ITS_COMPUTER = 'this computer';
const THE_COMPUTER = 'the computer itself';

/**
 * @param name as the daemon says it
 * @param me the name of this device there
 */
export function whoIs(name: string, me: string | undefined): string {
  if (name === me) return 'this device';
  return name === ITS_COMPUTER ? THE_COMPUTER : name;
}
