/** An address as people type it. */

/** The daemon's port when none is typed. */
const PORT = 8400;

/**
 * Completes an address: without a scheme it is `http`, and then without a port the daemon's own.
 * A whole link stays as it is. The result may still be no address.
 */
export function typedAddress(text: string): string {
  const trimmed = text.trim();
  if (trimmed === '' || /^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed)) return trimmed;
  if (/[/#?@\s]/.test(trimmed)) return '';
  return /:\d+$/.test(trimmed) ? `http://${trimmed}` : `http://${trimmed}:${PORT}`;
}
