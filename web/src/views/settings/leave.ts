/** Leaves a daemon: takes this device off its list where that is possible, then forgets it here. */

import type { Device, KnownDaemon } from '../../device/types';
import type { LinkView } from '../link-view.svelte';

/** Resolves when the daemon is forgotten here, whatever became of its list. */
export async function leaveDaemon(
  device: Device,
  view: LinkView,
  daemon: KnownDaemon,
): Promise<void> {
  if (view.connected && view.unlimited && view.me) {
    // It answers by ending the link, which is no failure here.
    await view.link.revoke(view.me.id).catch(() => undefined);
  }
  await device.forget(daemon.id);
}
