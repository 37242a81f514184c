/**
 * ``<encode-progress data-video="id">``: a bar and a number that follow an encode.
 *
 * ``data-when-gone="reload"`` reloads the page of an edition, which ends with its row;
 * ``data-when-playable="reload"`` and ``data-when-settled="reload"`` say when the
 * page has something new to show; ``data-waiting-storage``, ``-host`` and ``-database``
 * are the sentences for an encode that waits for that; ``data-done`` is the sentence for the end.
 * ``data-rest`` and ``data-ahead`` are the patterns of the estimate, absent where only the beginning is waited for,
 * and of the place in the queue.
 */

import { define, part } from "#lib/element";
import { follow, isSettled } from "#lib/progress";
import { about, SteadyEstimate } from "#studio/estimate";

class EncodeProgress extends HTMLElement {
  connectedCallback() {
    this.stop = new AbortController();
    this.estimate = new SteadyEstimate();
    follow(this.dataset.video, (state) => this.show(state), this.stop.signal).then((outcome) => {
      if (outcome === "gone" && this.dataset.whenGone === "reload") location.reload();
    });
  }

  disconnectedCallback() {
    this.stop.abort();
  }

  /** @param {import("#lib/progress").State} state */
  show(state) {
    this.querySelector("progress").value = state.progress_percent;
    part(this, "percent").textContent = `${state.progress_percent}%`;
    part(this, "waiting").textContent = this.getAttribute(`data-waiting-${state.waiting_for}`) ?? "";
    part(this, "rest").textContent = isSettled(state) ? "" : this.rest(state);
    if (state.is_playable && this.dataset.whenPlayable === "reload") location.reload();
    if (!isSettled(state)) return;
    if (this.dataset.whenSettled === "reload" || this.dataset.whenPlayable === "reload") location.reload();
    else if (state.status === "ready" && this.dataset.done) part(this, "words").textContent = this.dataset.done;
  }

  /** @param {import("#lib/progress").State} state */
  rest(state) {
    const seconds = this.estimate.next(state.waiting_for ? null : (state.estimate_s ?? null), performance.now());
    if (seconds !== null) return (this.dataset.rest ?? "").replace("{time}", about(seconds, document.documentElement.lang));
    return state.queue_ahead ? this.dataset.ahead.replace("{n}", String(state.queue_ahead)) : "";
  }
}

define("encode-progress", EncodeProgress);
