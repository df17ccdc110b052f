import { Desk } from './desk';
import { expect, test } from './fixtures';
import { Wire } from './wire';

/** Markup, sequences of terminals, and characters that turn text round or hide. */
const MARKUP = '<img src=x onerror=alert(1)><script>alert(2)</script>"\'`&amp;';
const HOSTILE = `\u202e\u0007\u001b${MARKUP}`;

/** Output that tries everything at once. */
const SCRIPT = `
printf '\\033]0;<script>alert(3)</script><img src=x onerror=alert(4)>\\a'
printf '\\033]9;<b>bold</b>&lt;<svg onload=alert(5)>\\a'
printf '<script>alert(6)</script><iframe src="https://attacker.test">\\r\\n'
printf '\\033]8;;javascript:alert(7)\\033\\\\click me\\033]8;;\\033\\\\\\r\\n'
printf '\\033[>c\\033[5n\\033]52;c;?\\a\\033]10;?\\a\\033P$qm\\033\\\\'
printf '\\342\\200\\256turned round\\r\\n'
sleep 1000
`;

test('a proxy with a key of its own is found out by the link', async ({ desk, device, origin }) => {
  const attacker = await Desk.start({ origin, name: 'desk' });
  const wire = await Wire.start((path) => (path === '/ws' ? attacker.port : desk.port));
  const address = `${origin}:${wire.port}`;
  device.watch.mayReach(address);
  const { link } = await desk.offer();
  await device.openLink(link.replace(`:${desk.port}`, `:${wire.port}`));
  // The attacker does not know the code, so its proof is wrong already.
  await expect(device.heading('Wrong code')).toBeVisible();
  expect(await device.keptDaemons()).toBe(0);
  expect(await attacker.devices()).toEqual([]);
  expect(await desk.devices()).toEqual([]);
  await wire.stop();
  await attacker.stop();
});

test('a proxy with a key of its own cannot prove a typed code', async ({
  desk,
  device,
  origin,
}) => {
  const attacker = await Desk.start({ origin, name: 'desk' });
  const wire = await Wire.start((path) => (path === '/ws' ? attacker.port : desk.port));
  const address = `${origin}:${wire.port}`;
  device.watch.mayReach(address);
  await device.typeCode(address, await desk.freshCode());
  await expect(device.page.getByRole('alert')).toContainText('Wrong code');
  await device.codeField.clear();
  expect(await device.keptDaemons()).toBe(0);
  expect(await attacker.devices()).toEqual([]);
  await wire.stop();
  await attacker.stop();
});

test('a link with the key of another daemon pairs with nobody', async ({
  desk,
  device,
  origin,
}) => {
  const other = await Desk.start({ origin });
  const { link } = await desk.offer();
  const { link: foreign } = await other.offer();
  await device.openLink(link.slice(0, -52) + foreign.slice(-52));
  await expect(device.heading('This is not the daemon that made the QR')).toBeVisible();
  // It says not to type the code there, and so does not offer to.
  await expect(device.button('Type a code instead')).toHaveCount(0);
  await device.button('Try again').click();
  await expect(device.heading('This is not the daemon that made the QR')).toBeVisible();
  expect(await device.keptDaemons()).toBe(0);
  await expect.poll(() => desk.devices()).toEqual([]);
  await other.stop();
});

test('a daemon whose key has changed is explained, and never connected to', async ({
  desk,
  device,
  origin,
}) => {
  let port = desk.port;
  const wire = await Wire.start(() => port);
  const address = `${origin}:${wire.port}`;
  device.watch.mayReach(address);
  device.watch.expectFault(/WebSocket connection|ERR_/);
  await device.pairByLink((await desk.offer()).link.replace(`:${desk.port}`, `:${wire.port}`));
  await expect(device.heading('No sessions yet')).toBeVisible();

  const other = await Desk.start({ origin });
  port = other.port;
  await wire.cut();
  await wire.restore();
  await device.page.reload();
  const banner = device.page.getByRole('status', { name: 'Link' });
  await expect(banner).toContainText('This daemon’s key has changed');
  await expect(banner).toContainText(await desk.fingerprint());
  expect(await device.keptDaemons()).toBe(1);
  expect(await other.devices()).toEqual([]);

  port = desk.port;
  await banner.getByRole('button', { name: 'Try again' }).click();
  await expect(banner).toContainText('Connected to desk');
  await wire.stop();
  await other.stop();
});

test('hostile names, titles and output are text', async ({ desk, device, newDevice }) => {
  const open = (name: string) => ['open', '-d', '--name', name, '--', 'sh', '-c', SCRIPT];
  // What turns text round or moves cursors is refused here, and taken out of what devices send.
  expect(await desk.run(...open(HOSTILE))).toMatchObject({ code: 2, stdout: '' });
  await desk.must(...open(MARKUP));
  await device.pairWith(desk);
  const other = await newDevice();
  await other.page.goto(desk.address);
  await other.page.getByRole('textbox', { name: 'Name of this device' }).fill(HOSTILE.slice(0, 60));
  await other.codeField.fill((await desk.offer()).link);
  await other.button('Pair').click();
  await expect(other.heading('Paired with desk')).toBeVisible();

  const hostile = device.page.locator('img, script:not([src]), iframe, svg[onload]');
  await expect(device.page.getByText('<img src=x onerror=alert(1)>').first()).toBeVisible();
  expect(await hostile.count()).toBe(0);
  await device.button(`More for ${MARKUP}`).click();
  const more = device.page.getByRole('dialog', { name: MARKUP, exact: true });
  await expect(more).toContainText('<script>alert(3)</script><img src=x onerror=alert(4)>');
  expect(await hostile.count()).toBe(0);
  await more.getByRole('button', { name: 'Close' }).click();
  await expect(more).toBeHidden();
  await device.page
    .getByRole('main', { name: /^Sessions of / })
    .getByText(/<img/)
    .first()
    .click();
  await device.screen.shows(/<script>alert\(6\)<\/script><iframe src="https:\/\/attacker\.test">/);
  await device.page.getByRole('button', { name: 'Dismiss message' }).first().click();
  await device.screen.menu();
  expect(await hostile.count()).toBe(0);
  await device.page.keyboard.press('Escape');
  const [{ name } = { name: '' }] = (await desk.devices()).filter(({ name }) => name.includes('<'));
  expect(name).toContain('<script>');
  expect(name).not.toContain('\u202e');

  // Nothing that the program asked was answered with what is on the clipboard.
  await expect(device.page.getByRole('dialog')).toHaveCount(0);
});

test('markup that got into a page would run nothing and load nothing', async ({ desk, device }) => {
  await device.pairWith(desk);
  const foreign = 'https://attacker.test';
  // It is written down as asked for, and refused before it leaves.
  device.watch.mayReach(foreign);
  device.watch.expectFault(/Content Security Policy/);
  await device.page.evaluate(async (attacker) => {
    const page = Object.assign(window, { ran: [] as string[], refused: new Set<string>() });
    document.addEventListener('securitypolicyviolation', (event) => {
      page.refused.add(event.effectiveDirective);
    });
    const script = document.createElement('script');
    script.textContent = 'window.ran.push("script")';
    document.body.append(script);
    const box = document.createElement('div');
    box.innerHTML = `<img src="${attacker}/pixel"><img src="data:," onerror="ran.push('handler')">
      <iframe src="${attacker}"></iframe><form action="${attacker}"><button>x</button></form>`;
    document.body.append(box);
    const failed = (one: Element) => new Promise((told) => one.addEventListener('error', told));
    await Promise.all([...box.querySelectorAll('img')].map(failed));
    try {
      (0, eval)('window.ran.push("eval")');
    } catch {}
    await fetch(attacker).then(
      () => page.ran.push('fetch'),
      () => {},
    );
    box.querySelector('button')?.click();
  }, foreign);
  const became = () =>
    device.page.evaluate(() => {
      const { ran, refused } = window as unknown as { ran: string[]; refused: Set<string> };
      return { ran, refused: [...refused].sort() };
    });
  const refused = [
    'connect-src',
    'form-action',
    'frame-src',
    'img-src',
    'script-src',
    'script-src-attr',
    'script-src-elem',
  ];
  await expect.poll(became).toEqual({ ran: [], refused });
});
