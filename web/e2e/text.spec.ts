import type { Page } from '@playwright/test';
import { expect, test } from './fixtures';

test('several lines are shown before they are pasted into a shell', async ({ desk, device }) => {
  await desk.must('open', '-d', '--name', 'lines', '--', 'sh', '-c', 'stty -echo; cat > lines.txt');
  await device.pairWith(desk);
  const screen = await device.openSession('lines');
  await screen.field.focus();
  await device.page.evaluate(() => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', 'first\u202e\nsecond\u001b[A\n');
    const event = new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true });
    document.activeElement?.dispatchEvent(event);
  });
  const sheet = device.page.getByRole('dialog', { name: /^Paste \d lines\?$/ });
  await expect(sheet).toContainText('first');
  await sheet.getByRole('button', { name: /^Paste \d lines$/ }).click();
  await screen.press('Enter');
  const text = (): string => desk.read('lines.txt');
  await expect.poll(text).toMatch(/^first.*\nsecond/);
  expect(text()).not.toContain('\u001b');
});

test('text is selected and copied while a program holds the mouse', async ({ desk, device }) => {
  const program = "printf '\\033[?1003h\\033[?1006hto be copied'; sleep 1000";
  await desk.must('open', '-d', '--name', 'copy', '--', 'sh', '-c', program);
  await device.pairWith(desk);
  const screen = await device.openSession('copy');
  await screen.shows(/to be copied/);
  await (await screen.menu()).getByRole('button', { name: 'Select text' }).click();
  const view = device.page.getByRole('dialog', { name: 'Select text' });
  await view.getByText('to be copied').selectText();
  await view.getByRole('button', { name: 'Copy' }).click();
  await expect(device.page.getByText('Copied.')).toBeVisible();
  await screen.field.focus();
  await device.page.evaluate(() => {
    const box = document.body.appendChild(document.createElement('textarea'));
    box.id = 'box';
    box.focus();
  });
  await device.page.keyboard.press('Control+v');
  await expect(device.page.locator('#box')).toHaveValue(/to be copied/);
});

/** Clicks on what is shown first, as a mouse gets there. */
async function clickFirstWord(page: Page): Promise<void> {
  const box = await page.locator('.xterm-screen').boundingBox();
  if (!box) throw new Error('no screen');
  await page.mouse.move(box.x + 20, box.y + 6);
  await page.mouse.move(box.x + 24, box.y + 8);
  await page.mouse.click(box.x + 24, box.y + 8);
}

test('a link shows where it really leads before it opens', async ({ desk, device }) => {
  const link = '\\033]8;;https://target.test/path\\033\\\\looks.like.test\\033]8;;\\033\\\\';
  await desk.must('open', '-d', '--name', 'link', '--', 'sh', '-c', `printf '${link}'; sleep 1000`);
  await device.pairWith(desk);
  const screen = await device.openSession('link');
  await screen.shows(/looks\.like\.test/);
  await clickFirstWord(device.page);
  const sheet = device.page.getByRole('dialog', { name: 'Open this link?' });
  await expect(sheet).toContainText('https://target.test/path');
  await expect(sheet.getByRole('button', { name: 'Open in a new tab' })).toBeVisible();
});

test('an address in plain text is a link, which shows where it leads', async ({ desk, device }) => {
  const program = "printf 'https://plain.test/path'; sleep 1000";
  await desk.must('open', '-d', '--name', 'plain', '--', 'sh', '-c', program);
  await device.pairWith(desk);
  const screen = await device.openSession('plain');
  await screen.shows(/plain\.test/);
  await clickFirstWord(device.page);
  const sheet = device.page.getByRole('dialog', { name: 'Open this link?' });
  await expect(sheet).toContainText('https://plain.test/path');
});

test('a program may put text on the clipboard when its user agrees', async ({ desk, device }) => {
  const request = `printf '\\033]52;c;${Buffer.from('offered <b>text</b>').toString('base64')}\\a'`;
  await desk.must('open', '-d', '--name', 'osc');
  await device.pairWith(desk);
  const screen = await device.openSession('osc');
  await screen.enter(request);
  const sheet = device.page.getByRole('dialog', { name: 'Copy what the program offers?' });
  await expect(sheet).toContainText('offered <b>text</b>');
  // A tap in its first moment was meant for what lay there before.
  await expect(async () => {
    if (await sheet.isHidden()) return;
    await sheet.getByRole('button', { name: 'Do not copy' }).click({ timeout: 1_000 });
    await expect(sheet).toBeHidden({ timeout: 200 });
  }).toPass();
});

test('a row is drawn once when lines scroll off, and a selection goes along', async ({
  desk,
  device,
}) => {
  const program = 'stty -echo; seq 1 60; while read -r line; do echo "$line"; done';
  await desk.must('open', '-d', '--name', 'rows', '--', 'sh', '-c', program);
  await device.pairWith(desk);
  const screen = await device.openSession('rows');
  await screen.shows(/^60$/m);
  const { page } = device;
  // How often the row was given other content, until something scrolled.
  const drawn = (): Promise<number> =>
    page.evaluate(() => {
      const row = document.querySelectorAll('.xterm-rows > div')[5];
      if (!row) throw new Error('no row');
      return new Promise<number>((resolve) => {
        let times = 0;
        const observer = new MutationObserver((records) => {
          times += records.length;
          // A second time would be in the same frame, or in the next.
          requestAnimationFrame(() => requestAnimationFrame(() => resolve(times)));
        });
        observer.observe(row, { childList: true });
      });
    });
  await screen.stands();
  const once = drawn();
  await screen.enter('61');
  await screen.shows(/^61$/m);
  expect(await once).toBe(1);

  const row = page.locator('.xterm-rows > div').filter({ hasText: /^50$/ });
  const box = await row.boundingBox();
  if (!box) throw new Error('no row');
  await page.mouse.dblclick(box.x + 4, box.y + 6);
  const selected = page.locator('.xterm-selection > div').first();
  await expect(selected).toBeAttached();
  const before = (await selected.boundingBox())?.y ?? 0;
  // Typed here it would go.
  const terminal = await desk.inTerminal(['attach', '--keep-size', 'rows']);
  await terminal.shows(/61/);
  await terminal.type('62');
  await terminal.press('Enter');
  await screen.shows(/^62$/m);
  await expect.poll(async () => (await selected.boundingBox())?.y).toBeLessThan(before);
  await terminal.stop();
  await screen.enter('63');
  await screen.shows(/^63$/m);
  await expect(page.locator('.xterm-selection > div')).toHaveCount(0);
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`inverse text can be read, ${colorScheme}`, async ({ desk, device }) => {
    await device.page.emulateMedia({ colorScheme });
    const program = "printf '\\033[7mINVERSE\\033[0m'; sleep 1000";
    await desk.must('open', '-d', '--name', 'inverse', '--', 'sh', '-c', program);
    await device.pairWith(desk);
    const screen = await device.openSession('inverse');
    await screen.shows(/INVERSE/);
    const text = device.page.locator('.xterm-rows span', { hasText: 'INVERSE' });
    const [ink, paper] = await text.evaluate((element) => {
      const { color, backgroundColor } = getComputedStyle(element);
      return [color, backgroundColor].map((css) => (css.match(/[\d.]+/g) ?? []).map(Number));
    });
    // As ordinary text is: xterm.js would grey it down to 4.5.
    expect(contrast(luminance(ink), luminance(paper))).toBeGreaterThan(12);
  });
}

/** WCAG 2's relative luminance of red, green and blue, each 0 to 255. */
function luminance(colour: readonly number[] = []): number {
  const [red = 0, green = 0, blue = 0] = colour.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: number, other: number): number {
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}
