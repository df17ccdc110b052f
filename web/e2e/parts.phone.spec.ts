import { expect, test } from './fixtures';

const TERMINAL = /\/SessionView-/;

// Without a service worker, which would have the parts of the page at hand.
test('a part that does not come is a new version when the daemon has one', async ({
  desk,
  device,
}) => {
  const { page } = device;
  device.watch.expectFault(/ERR_FAILED/);
  await desk.must('open', '-d', '--name', 'parts', '--', 'cat');
  await page.route(TERMINAL, (route) => route.abort());
  await device.pairWith(desk);
  await device.listed('parts').click();
  await expect(page.getByText('The terminal could not be loaded.')).toBeVisible();
  const told = page.getByText('A new version of codeout is ready.');
  await expect(told).toHaveCount(0);

  // What the network says in the daemon's place is none either.
  let asked = 0;
  let answer = '<title>Log in</title>';
  await page.route(
    (url) => url.pathname === '/',
    async (route) => {
      asked += 1;
      await route.fulfill({ contentType: 'text/html', body: answer });
    },
  );
  const again = page.getByRole('button', { name: 'Try again' });
  await again.click();
  await expect.poll(() => asked).toBeGreaterThan(0);
  await expect(again).toBeVisible();
  await expect(told).toHaveCount(0);
  answer = '<title>codeout</title><script type="module" src="/assets/other.js"></script>';
  await again.click();
  await expect(told).toBeVisible();
});
