// node compress.mjs DIRECTORY: beside each file of a built app, `.br` and `.gz` of it, as small as
// they get; what is no smaller than the file itself is not kept.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const directory = process.argv[2];
if (directory === undefined || !statSync(directory).isDirectory()) {
  throw new Error('usage: node compress.mjs DIRECTORY');
}

/** @param {Buffer} content */
function brotli(content) {
  return brotliCompressSync(content, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
    },
  });
}

for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || /\.(br|gz)$/.test(entry.name)) continue;
  const path = join(entry.parentPath, entry.name);
  const content = readFileSync(path);
  const smaller = {
    br: brotli(content),
    gz: gzipSync(content, { level: constants.Z_BEST_COMPRESSION }),
  };
  for (const [suffix, compressed] of Object.entries(smaller)) {
    if (compressed.length < content.length) writeFileSync(`${path}.${suffix}`, compressed);
  }
}
