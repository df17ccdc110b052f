/** A certificate for `desk.test` that nobody but the browser of one test trusts. */

import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  /** Files in PEM. */
  readonly certificate: string;
  readonly key: string;
  /** What Chromium names the key by in `--ignore-certificate-errors-spki-list`. */
  readonly spki: string;
  remove(): void;
}

/** Makes it with openssl. The caller removes it. */
export function makeCertificate(): Certificate {
  const directory = mkdtempSync(join(tmpdir(), 'certificate-'));
  const certificate = join(directory, 'cert.pem');
  const key = join(directory, 'key.pem');
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const name = ['-subj', '/CN=desk.test', '-addext', 'subjectAltName=DNS:desk.test'];
  const files = ['-keyout', key, '-out', certificate];
  execFileSync('openssl', ['req', ...kind, '-days', '2', ...name, ...files], { stdio: 'ignore' });
  const { publicKey } = new X509Certificate(readFileSync(certificate));
  const der = publicKey.export({ type: 'spki', format: 'der' });
  const spki = createHash('sha256').update(der).digest('base64');
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  return { certificate, key, spki, remove };
}
