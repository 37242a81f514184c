/**
 * Return the pause before try number ``attempt`` (from 0), in ms. It doubles from
 * ``first`` to ``most``, and half of it is random, so that a thousand browsers do
 * not come back in the same instant.
 * @param {number} attempt
 * @param {{first?: number, most?: number, random?: () => number}} [options]
 */
export function backoff(attempt, { first = 500, most = 30_000, random = Math.random } = {}) {
  const full = Math.min(most, first * 2 ** attempt);
  return full / 2 + (full / 2) * random();
}

/**
 * @param {number} ms
 * @param {AbortSignal} [signal] rejects with its reason when it aborts
 * @returns {Promise<void>}
 */
export function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
