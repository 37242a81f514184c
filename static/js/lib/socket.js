/** A socket that is opened again whenever it breaks, until nobody wants it any more. */

import { backoff, sleep } from "#lib/backoff";

const FIRST_PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 60_000;
const WELL_AFTER_MS = 10_000; // what breaks sooner is as good as never opened

/**
 * @param {string} path
 * @param {{onMessage: (message: any) => void, onOpen?: (socket: WebSocket) => void, isOver: (code: number) => boolean}} heard
 *   ``isOver`` says which close codes mean that coming back is of no use
 * @param {AbortSignal} signal
 */
export async function listen(path, { onMessage, onOpen, isOver }, signal) {
  for (let failures = 0; !signal.aborted; failures += 1) {
    const { code, lasted_ms } = await hear(path, { onMessage, onOpen }, signal);
    if (isOver(code)) return;
    if (lasted_ms > WELL_AFTER_MS) failures = 0;
    try {
      await sleep(backoff(failures, { first: FIRST_PAUSE_MS, most: LONGEST_PAUSE_MS }), signal);
    } catch {
      return;
    }
  }
}

/** @returns {Promise<{code: number, lasted_ms: number}>} once it is closed */
function hear(path, { onMessage, onOpen }, signal) {
  return new Promise((resolve) => {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}${path}`);
    let openedAt = Infinity;
    socket.addEventListener("open", () => {
      openedAt = performance.now();
      onOpen?.(socket);
    });
    socket.addEventListener("message", ({ data }) => onMessage(JSON.parse(data)));
    socket.addEventListener("close", ({ code }) => resolve({ code, lasted_ms: performance.now() - openedAt }));
    signal.addEventListener("abort", () => socket.close(), { once: true });
  });
}
