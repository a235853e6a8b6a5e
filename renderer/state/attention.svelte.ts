/** Owns: whether the user can be looking at the window, and what time it is. Called by: app, views. Calls: the DOM. */
const minuteMs = 60_000;

export class Attention {
  /** The window is visible and has the focus: only then is a message counted as seen. */
  active = $state(true);
  /** The present, good to the minute, for relative times. */
  nowMs = $state(Date.now());

  start(): () => void {
    const look = (): void => {
      this.active = document.visibilityState === 'visible' && document.hasFocus();
      this.nowMs = Date.now();
    };
    look();
    const events = ['focus', 'blur'] as const;
    for (const event of events) window.addEventListener(event, look);
    document.addEventListener('visibilitychange', look);
    const ticking = setInterval(() => (this.nowMs = Date.now()), minuteMs / 2);
    return () => {
      for (const event of events) window.removeEventListener(event, look);
      document.removeEventListener('visibilitychange', look);
      clearInterval(ticking);
    };
  }
}
