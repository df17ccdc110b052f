/** Short messages over whatever view is shown. */

export interface ToastAction {
  readonly label: string;
  /** What a screen reader says, where that is more. */
  readonly spoken?: string;
  readonly danger?: boolean;
  run(): void;
}

export interface Toast {
  readonly id: number;
  readonly text: string;
  readonly tone: 'plain' | 'attention' | 'bad';
  readonly actions: readonly ToastAction[];
}

/** How long a toast without a question stays, in milliseconds. */
const STAY = 6000;

class Toasts {
  #next = 1;
  all = $state.raw<readonly Toast[]>([]);
  /** Whether the view shows them itself, in a place where they cover nothing. */
  placed = $state(false);

  /**
   * Shows a message. One with actions stays until it is answered or closed.
   * @returns what takes it away again
   */
  show(
    text: string,
    tone: Toast['tone'] = 'plain',
    actions: readonly ToastAction[] = [],
  ): () => void {
    const id = this.#next++;
    this.all = [...this.all, { id, text, tone, actions }];
    if (actions.length === 0) setTimeout(() => this.close(id), STAY);
    return () => this.close(id);
  }

  close(id: number): void {
    this.all = this.all.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
