/**
 * ``<transcription-progress data-video="id">``: follows automatic captions until they end, and reloads the page then.
 *
 * ``data-storage``, ``-host`` and ``-model`` are the sentences for a wait, ``data-encode`` that for a video that is
 * still being encoded (else it is absent), and ``data-rest`` the pattern of the remaining time.
 */

import { ApiError, call } from "#lib/api";
import { sleep } from "#lib/backoff";
import { define, part } from "#lib/element";
import { about, SteadyEstimate } from "#studio/estimate";

const POLL_MS = 3000;

/**
 * @typedef {{status: string, progress_percent: number, estimate_s: ?number, waiting_for: ?string}} TranscriptionState
 */

class TranscriptionProgress extends HTMLElement {
  connectedCallback() {
    this.stop = new AbortController();
    this.estimate = new SteadyEstimate();
    this.follow(this.stop.signal);
  }

  disconnectedCallback() {
    this.stop.abort();
  }

  /** @param {AbortSignal} signal */
  async follow(signal) {
    while (!signal.aborted) {
      try {
        if (!document.hidden) this.show(await call("GET", `videos/${this.dataset.video}/transcription/`, undefined, { signal }));
        await sleep(POLL_MS, signal);
      } catch (error) {
        if (signal.aborted || (error instanceof ApiError && [401, 403, 404].includes(error.status))) return;
        await sleep(POLL_MS * 3, signal).catch(() => {});
      }
    }
  }

  /** @param {TranscriptionState} state */
  show(state) {
    if (!["waiting", "running"].includes(state.status)) {
      this.stop.abort();
      location.reload();
      return;
    }
    this.querySelector("progress").value = state.progress_percent;
    part(this, "percent").textContent = `${state.progress_percent}%`;
    part(this, "rest").textContent = this.rest(state);
  }

  /** @param {TranscriptionState} state */
  rest(state) {
    if (state.waiting_for) return this.getAttribute(`data-${state.waiting_for}`) ?? "";
    const seconds = this.estimate.next(state.estimate_s, performance.now());
    // Unknown before the first chunk of the site, or while the video is encoded.
    if (seconds === null) return this.dataset.encode ?? "";
    return (this.dataset.rest ?? "").replace("{time}", about(seconds, document.documentElement.lang));
  }
}

define("transcription-progress", TranscriptionProgress);
