import { Wire } from '../wire';
import { expect, test } from './fixtures';

/** What browsers themselves say of a link that broke; and nothing that the app did not catch. */
const BROKEN = /^(error|warn): .*(connection|WebSocket|fetch)/i;

test('the daemon restarts: the screen comes back, and typing goes on', async ({
  desk,
  user,
  expected,
}) => {
  expected.push(BROKEN);
  await desk.must('open', '-d', '--name', 'ann');
  await user.pairs(desk);
  await user.opens('ann');
  await user.enters('echo be""fore');
  await user.screen(/^before$/m);
  await desk.must('restart');
  await user.enters('echo be""hind >> typed.txt; cat typed.txt');
  await user.screen(/^before$[^]*^behind$/m);
  expect(desk.read('typed.txt')).toBe('behind\n');
});

test('a link is cut: what is typed meanwhile arrives once', async ({ desk, user, expected }) => {
  expected.push(BROKEN);
  const wire = await Wire.start(desk.port);
  await desk.must('open', '-d', '--name', 'ann');
  const { link } = await desk.offer();
  await user.engine.goto(link.replace(`:${desk.port}`, `:${wire.port}`));
  await user.clicks('button', 'Open sessions');
  await user.opens('ann');
  await user.enters('echo be""fore');
  await user.screen(/^before$/m);
  await wire.cut();
  await user.reads('cannot be reached');
  await user.enters('echo mean""while >> away.txt; cat away.txt');
  expect(desk.read('away.txt')).toBe('');
  await wire.restore();
  await user.screen(/^before$[^]*^meanwhile$/m);
  expect(desk.read('away.txt')).toBe('meanwhile\n');
  await wire.stop();
});
