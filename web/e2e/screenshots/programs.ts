/** What runs on the desk in the pictures: programs that print a screen, and then wait. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** An agent that has a question. */
const AGENT = `#!/bin/sh
clear
printf '\\033[1;35m●\\033[0m The parser drops the last field when a\\n'
printf '  line ends in a comma.\\n\\n'
printf '\\033[1;35m●\\033[0m I have a fix, and a test that fails\\n'
printf '  without it:\\n\\n'
printf '  \\033[2msrc/fields.ts\\033[0m\\n'
printf '\\033[31m  41 -  if (rest) fields.push(rest);\\033[0m\\n'
printf '\\033[32m  41 +  fields.push(rest);\\033[0m\\n\\n'
printf '\\033[1mWrite this to \\033[36msrc/fields.ts\\033[39m?\\033[0m\\n\\n'
printf '\\033[7m ❯ 1. Yes \\033[0m\\n'
printf '   2. Yes, and do not ask again\\n'
printf '   3. No, and say what to do instead\\n\\n'
printf '\\033[2mEnter chooses · Esc stops\\033[0m\\n'
printf '\\033]9;May I write src/fields.ts?\\a'
exec sleep 1000
`;

/** A build that watches for changes and runs the tests. */
const BUILD = `#!/bin/sh
clear
printf '\\033[1m$ npm test -- --watch\\033[0m\\n\\n'
for name in fields header quoting encoding streaming; do
  printf ' \\033[32m✓\\033[0m tests/%-14s \\033[2m%s ms\\033[0m\\n' $name.test.ts $((\${#name} * 7))
done
printf '\\n\\033[1;32m 41 passed\\033[0m, 0 failed\\n'
printf ' watching for changes …\\n'
exec sleep 1000
`;

const NOTES = `# Release 2.4

- [x] quoting of line ends
- [x] fields at the end of a line
- [ ] changelog
- [ ] tell Ben about the new API
`;

/** Puts the programs, and what they work on, into a home directory. */
export function furnish(home: string): void {
  for (const [name, script] of Object.entries({ claude: AGENT, make: BUILD })) {
    mkdirSync(join(home, 'bin'), { recursive: true });
    writeFileSync(join(home, 'bin', name), script, { mode: 0o755 });
  }
  for (const project of ['api', 'notes']) {
    mkdirSync(join(home, 'projects', project), { recursive: true });
  }
  writeFileSync(join(home, 'projects/notes/release.md'), NOTES);
}
