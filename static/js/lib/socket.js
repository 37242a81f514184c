/** A socket that is opened again after each break, until it is aborted. */

import { backoff, sleep } from "#lib/backoff";

const FIRST_PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 60_000;
const WELL_AFTER_MS = 10_000; // a socket that breaks sooner counts as a failure
const SILENT_MS = 35_000; // the server speaks every ten seconds: this socket is dead
const LOST = 1006;

/**
 * @param {string} path
 * @param {{onMessage: (message: any) => void, onOpen?: (socket: WebSocket) => void, isOver: (code: number) => boolean}} heard
 *   ``isOver`` returns whether a close code ends the attempts
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

/**
 * @param {string} path
 * @param {{onMessage: (message: any) => void, onOpen?: (socket: WebSocket) => void}} heard
 * @param {AbortSignal} signal
 * @returns {Promise<{code: number, lasted_ms: number}>} once it is closed
 */
function hear(path, { onMessage, onOpen }, signal) {
  return new Promise((resolve) => {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}${path}`);
    let openedAt = Infinity;
    const end = (/** @type {number} */ code) => {
      unwatch();
      resolve({ code, lasted_ms: performance.now() - openedAt });
    };
    const unwatch = watch(socket, () => end(LOST));
    socket.addEventListener("open", () => {
      openedAt = performance.now();
      onOpen?.(socket);
    });
    socket.addEventListener("message", ({ data }) => {
      const message = JSON.parse(data);
      if (message.type !== "alive") onMessage(message);
    });
    socket.addEventListener("close", ({ code }) => end(code));
    signal.addEventListener("abort", () => socket.close(), { once: true });
  });
}

/**
 * Close a socket that is silent for a while and call ``onSilence``: its close event may never come.
 * @param {WebSocket} socket
 * @param {() => void} onSilence
 * @returns {() => void} stops watching
 */
export function watch(socket, onSilence) {
  let heardAt = performance.now();
  const look = () => {
    const left_ms = heardAt + SILENT_MS - performance.now();
    if (left_ms > 0) {
      timer = setTimeout(look, left_ms);
      return;
    }
    socket.close();
    onSilence();
  };
  let timer = setTimeout(look, SILENT_MS);
  for (const kind of ["open", "message"]) socket.addEventListener(kind, () => (heardAt = performance.now()));
  return () => clearTimeout(timer);
}
