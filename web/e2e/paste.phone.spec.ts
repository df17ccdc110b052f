import { expect, test } from './fixtures';

test('one line is pasted through the box of a page without a clipboard', async ({
  desk,
  device,
}) => {
  await desk.must('open', '-d', '--name', 'paste', '--', 'sh', '-c', 'stty -echo; cat > paste.txt');
  await device.pairWith(desk);
  const screen = await device.openSession('paste');
  await (await screen.menu()).getByRole('button', { name: 'Paste' }).click();
  const sheet = device.page.getByRole('dialog', { name: 'Paste' });
  await expect(sheet).toContainText('Over plain http a page cannot read the clipboard');
  await sheet.getByRole('textbox', { name: 'Text to paste' }).fill('one\ntwo');
  await expect(sheet).toContainText('Each line end works like Enter');
  await sheet.getByRole('button', { name: 'Paste 2 lines' }).click();
  await screen.press('Enter');
  const text = (): string => desk.read('paste.txt');
  await expect.poll(text).toBe('one\ntwo\n');
});
