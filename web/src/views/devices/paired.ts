/** Tells that another device was paired, and lets it be revoked at once. */

import type { DeviceEntry } from '../../protocol/message';
import { type LinkView, requestFailure } from '../link-view.svelte';
import { toasts } from '../toasts.svelte';

/** Revokes a device and says on the screen what came of it. */
export async function revoke(view: LinkView, device: DeviceEntry): Promise<void> {
  try {
    await view.link.revoke(device.id);
    toasts.show(`${device.name} was revoked: it can no longer connect`);
  } catch (error) {
    toasts.show(requestFailure(error, `Revoking ${device.name}`), 'bad');
  }
}

const told = new Map<string, () => void>();

/** Takes the question about a device away: it is out. */
export function takeBack(device: string): void {
  told.get(device)?.();
  told.delete(device);
}

/** Shows who was paired just now. */
export function tellPaired(view: LinkView, device: DeviceEntry): void {
  const actions = view.unlimited
    ? [
        {
          label: 'Revoke',
          spoken: `Revoke ${device.name}`,
          danger: true,
          run: () => void revoke(view, device),
        },
      ]
    : [];
  const text = `${device.name} was paired just now. Not you?`;
  told.set(device.id, toasts.show(text, 'attention', actions));
}
