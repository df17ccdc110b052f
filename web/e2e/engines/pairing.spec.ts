import type { Desk } from '../desk';
import { expect, test } from './fixtures';
import type { User } from './user';

/** The fingerprint that the page shows: `XXXX-XXXX`. */
async function fingerprint(user: User): Promise<string> {
  const label = await user.engine.evaluate(() =>
    document.querySelector('[aria-label^="Fingerprint "]')?.getAttribute('aria-label'),
  );
  return (label ?? '').replace('Fingerprint ', '').replaceAll(' ', '');
}

async function typesCode(user: User, desk: Desk, code: string): Promise<void> {
  await user.engine.goto(desk.address);
  await user.clicks('textbox', 'Pairing code');
  await user.types(code);
  await user.clicks('button', 'Pair');
}

test('by a link, kept over a reload, and revoked', async ({ desk, user, expected }) => {
  const { link } = await desk.offer();
  await user.engine.goto(link);
  await user.sees('heading', 'Paired with desk');
  await user.reads('Checked by the QR');
  expect(await fingerprint(user)).toBe(await desk.fingerprint());
  const { href, length } = await user.engine.evaluate(() => ({
    href: location.href,
    length: history.length,
  }));
  expect(href).toBe(`${desk.address}/`);
  expect(length).toBeLessThanOrEqual(2);

  await desk.must('open', '-d', '--name', 'ann');
  await user.clicks('button', 'Open sessions');
  await user.sees('heading', 'Sessions');
  // A reload ends what is still being loaded, of which Firefox tells in these words.
  expected.push(/A ServiceWorker intercepted the request and encountered an unexpected error/);
  await user.engine.reload();
  await user.opens('ann');
  await user.screen(/^\$ ?$/m);

  const [device] = await desk.devices();
  await desk.must('devices', 'revoke', device?.id ?? '');
  await user.reads('This device was revoked');
});

test('by a typed code in lower case: compared by its user', async ({ desk, user }) => {
  const { code } = await desk.offer();
  await typesCode(user, desk, code.toLowerCase().replaceAll('-', ' '));
  await user.sees('heading', 'Does the daemon show the same?');
  expect(await fingerprint(user)).toBe(await desk.fingerprint());
  await user.clicks('button', 'They match…');
  await user.sees('heading', 'Paired with desk');
  await user.reads('Compared by you');
  const [device] = await desk.devices();
  expect(device?.unfinished).toBe(false);
});

test('a wrong code is refused, and the right one is still good', async ({ desk, user }) => {
  const { code } = await desk.offer();
  const wrong = code.startsWith('A') ? `B${code.slice(1)}` : `A${code.slice(1)}`;
  await typesCode(user, desk, wrong);
  await user.sees('alert', 'Wrong code…');
  expect(await desk.devices()).toEqual([]);
  await user.clicks('textbox', 'Pairing code');
  await user.presses('Control+a');
  await user.types(code);
  await user.clicks('button', 'Pair');
  await user.clicks('button', 'They match…');
  await user.sees('heading', 'Paired with desk');
});
