import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const SOURCES = fileURLToPath(new URL('../../src/', import.meta.url));

test('no name stands in a title without being isolated from the words around it', () => {
  const views = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.svelte'),
  );
  const mixed = views.filter((path) =>
    /<(Sheet|Confirm|Screen)\b[^>]*\btitle="[^"]*\{/.test(readFileSync(SOURCES + path, 'utf8')),
  );
  expect(views.length).toBeGreaterThan(30);
  expect(mixed).toEqual([]);
});
