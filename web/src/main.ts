import { takeLink } from './views/start';

// Before anything else runs, and before anything else is even loaded: the secret leaves the address.
const link = takeLink(window);

function failed(): void {
  const text = document.createElement('p');
  text.setAttribute('role', 'alert');
  text.textContent = 'codeout could not be loaded. Is the daemon reachable? Reload this page.';
  document.body.append(text);
}

import('./app').then(({ start }) => start(link), failed);
// Needed next, and much larger: it loads beside the app. What fails here is said where it is used.
import('./device/device').catch(() => undefined);
