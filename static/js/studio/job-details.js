/**
 * ``<job-details data-src="address">``: the jobs of a video or the items of a channel import, loaded when its
 * ``<details>`` opens or at once without one, and again every few seconds while there is work and somebody looks.
 */

import { sleep } from "#lib/backoff";
import { define, part } from "#lib/element";

const POLL_MS = 3000;

class JobDetails extends HTMLElement {
  connectedCallback() {
    this.stop = new AbortController();
    const { signal } = this.stop;
    const details = this.querySelector("details");
    if (!details) {
      this.follow(signal, () => true);
      return;
    }
    details.addEventListener(
      "toggle",
      ({ target }) => {
        if (target === details && details.open) this.follow(signal, () => details.open);
      },
      { signal, capture: true },
    );
  }

  disconnectedCallback() {
    this.stop.abort();
  }

  /**
   * @param {AbortSignal} signal
   * @param {() => boolean} isOpen
   */
  async follow(signal, isOpen) {
    if (this.isFollowing) return;
    this.isFollowing = true;
    try {
      while (isOpen()) {
        await this.load(signal);
        await sleep(POLL_MS, signal);
        if (!this.querySelector("[data-active]")) break;
      }
    } catch (error) {
      if (!signal.aborted) console.warn(error);
    } finally {
      this.isFollowing = false;
    }
  }

  /** @param {AbortSignal} signal */
  async load(signal) {
    const list = part(this, "list");
    // A button or a log that is in use stays as it is.
    if (document.hidden || list.contains(document.activeElement)) return;
    const response = await fetch(this.dataset.src, { signal, headers: { "X-Requested-With": "fetch" } });
    if (!response.ok || response.redirected) return;
    const open = [...list.querySelectorAll("[data-job]:has(details[open])")].map(({ dataset }) => dataset.job);
    const html = await response.text();
    if (list.contains(document.activeElement)) return;
    const ticked = [...list.querySelectorAll("input:checked")].map(({ id }) => id);
    list.innerHTML = html;
    for (const box of list.querySelectorAll("input[type=checkbox]")) box.checked = ticked.includes(box.id);
    for (const job of open) {
      const log = list.querySelector(`[data-job="${job}"] details`);
      if (log) log.open = true;
    }
  }
}

define("job-details", JobDetails);
