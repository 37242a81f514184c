/** The progress of an encode, by WebSocket, or by polling after several sockets failed. */

import { call } from "#lib/api";
import { backoff, sleep } from "#lib/backoff";
import { watch } from "#lib/socket";

/**
 * @typedef {{status: string, progress_percent: number, is_playable: boolean, failure: ?{code: string, detail: string},
 *   waiting_for?: ?("storage" | "host" | "database"), estimate_s?: ?number, queue_ahead?: ?number}} State
 */

const POLL_MS = 3000;
const SOCKET_TRIES = 3;
const NO_SUCH_VIDEO = 4004;

/**
 * Call ``onState`` with each state of a video until it is settled or ``signal`` aborts; return how that ended.
 * @param {string} id
 * @param {(state: State) => void} onState
 * @param {AbortSignal} signal
 * @returns {Promise<"settled" | "gone" | "aborted">}
 */
export async function follow(id, onState, signal) {
  let failures = 0;
  while (!signal.aborted) {
    const outcome = failures < SOCKET_TRIES ? await listen(id, onState, signal) : await ask(id, onState, signal);
    if (outcome === "settled" || outcome === "gone") return outcome;
    failures = outcome === "heard" ? 0 : failures + 1;
    try {
      await sleep(failures >= SOCKET_TRIES ? POLL_MS : backoff(failures), signal);
    } catch {
      return "aborted";
    }
  }
  return "aborted";
}

/** @param {State} state */
export function isSettled(state) {
  return state.status === "ready" || state.status === "failed";
}

/**
 * @param {string} id
 * @param {(state: State) => void} onState
 * @param {AbortSignal} signal
 * @returns {Promise<"settled" | "gone" | "heard" | "silent">}
 */
function listen(id, onState, signal) {
  return new Promise((resolve) => {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws/videos/${id}/progress/`);
    /** @type {"silent" | "heard" | "settled"} */
    let outcome = "silent";
    socket.addEventListener("message", ({ data }) => {
      const state = JSON.parse(data);
      if (state.type !== "progress") return;
      outcome = isSettled(state) ? "settled" : "heard";
      onState(state);
      if (outcome === "settled") socket.close();
    });
    const unwatch = watch(socket, () => resolve(outcome));
    socket.addEventListener("close", ({ code }) => {
      unwatch();
      resolve(code === NO_SUCH_VIDEO ? "gone" : outcome);
    });
    signal.addEventListener("abort", () => socket.close(), { once: true });
  });
}

/**
 * @param {string} id
 * @param {(state: State) => void} onState
 * @param {AbortSignal} signal
 * @returns {Promise<"settled" | "gone" | "silent">}
 */
async function ask(id, onState, signal) {
  try {
    const state = await call("GET", `videos/${id}/`, undefined, { signal });
    onState(state);
    return isSettled(state) ? "settled" : "silent";
  } catch (error) {
    return [401, 403, 404].includes(error.status) ? "gone" : "silent";
  }
}
