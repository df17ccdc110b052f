import { mount } from 'svelte';
import App from './App.svelte';
import './styles/tokens.css';
import './styles/base.css';
import './styles/controls.css';
import { keepPage, watchParts } from './views/install.svelte';
import { followTaps } from './views/notify';
import { takeLink } from './views/start';

/**
 * Shows the app.
 * @param link the pairing link that the page was opened with; secret
 */
export function start(link: string | undefined): void {
  watchParts();
  followTaps();
  const app = mount(App, { target: document.body, props: { link } });
  // A link to the page that is open already changes the fragment alone, and loads nothing.
  window.addEventListener('hashchange', () => {
    const opened = takeLink(window);
    if (opened !== undefined) app.openLink(opened);
  });
  // Blocked storage or a certificate that the browser does not trust: the page works without.
  keepPage().catch(() => undefined);
}
