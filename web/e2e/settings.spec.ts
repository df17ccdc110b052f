import type { Page } from '@playwright/test';
import { expect, test } from './fixtures';

/** The keys of the bar, in order, as a screen reader says them. */
function barKeys(page: Page): Promise<(string | null)[]> {
  const bar = page.getByRole('toolbar', { name: 'Terminal keys' });
  return bar
    .getByRole('button')
    .evaluateAll((keys) => keys.map((key) => key.getAttribute('aria-label')));
}

test('the key bar is as its user made it, also after a reload', async ({ desk, device }) => {
  const { page, screen } = device;
  await desk.must('open', '-d', '--name', 'keys', '--', 'cat');
  await device.pairWith(desk);
  await device.openSession('keys');
  const menu = await screen.menu();
  await menu.getByLabel('Key bar', { exact: true }).selectOption('Always');
  await menu.getByRole('button', { name: 'Edit the key bar' }).click();
  await expect.poll(() => barKeys(page)).toContain('Escape');
  const [first, second, ...rest] = await barKeys(page);
  expect([first, second]).toEqual(['Escape', 'Tab']);

  const sheet = page.getByRole('dialog', { name: 'Key bar' });
  await sheet.getByRole('button', { name: 'Remove Escape' }).click();
  await sheet.getByRole('button', { name: 'Move Tab back' }).click();
  await sheet.getByRole('button', { name: 'Add At', exact: true }).click();
  await sheet.getByRole('button', { name: 'Done' }).click();
  const made = [rest[0], 'Tab', ...rest.slice(1), 'At'];
  await expect.poll(() => barKeys(page)).toEqual(made);
  await screen.key('At').click();
  await screen.shows(/^@$/m);

  await page.reload();
  await screen.attached();
  await expect.poll(() => barKeys(page)).toEqual(made);
  await screen.key('At').click();
  await screen.shows(/^@@$/m);
});

test('a screen reader is given the rows when its mode is on', async ({ desk, device }) => {
  const { page, screen } = device;
  const program = "printf 'read me\\r\\nand me\\r\\nlast\\r\\n'; sleep 1000";
  await desk.must('open', '-d', '--name', 'aloud', '--', 'sh', '-c', program);
  await device.pairWith(desk);
  await device.openSession('aloud');
  await screen.shows(/^and me$/m);
  const session = await device.context.newCDPSession(page);
  // The browser's own tree, as assistive technology gets it.
  const read = async (): Promise<string[]> => {
    const { nodes } = await session.send('Accessibility.getFullAXTree');
    const texts = nodes.filter(({ ignored, role }) => !ignored && role?.value === 'StaticText');
    return texts
      .map(({ name }) => `${name?.value}`.trim())
      .filter((text) => /^(read|and) me$/.test(text));
  };
  expect(await read()).toEqual([]);
  const turn = async (): Promise<void> => {
    const menu = await screen.menu();
    await menu.getByRole('switch', { name: 'Screen reader mode' }).click();
    await menu.getByRole('button', { name: 'Close' }).click();
  };
  await turn();
  await expect.poll(read).toEqual(['read me', 'and me']);

  await page.reload();
  await screen.attached();
  await expect.poll(read).toEqual(['read me', 'and me']);
  await turn();
  await expect.poll(read).toEqual([]);
});
