/**
 * ``<replace-file>``: uploads a file that replaces that of a video, and then shows the page of the encode.
 *
 * With ``data-path``, the file begins another edition, such as an audio track; the form with the id
 * ``data-about`` has its further fields.
 */

import { ApiError, call } from "#lib/api";
import { define, part } from "#lib/element";
import { wordsOf } from "#lib/words";
import { open, refusalOf } from "#studio/replacement";
import { left, size, Speed } from "#upload/figures";
import { MultipartUpload, putPart, untilOnline, UploadError } from "#upload/multipart";

class ReplaceFile extends HTMLElement {
  connectedCallback() {
    this.words = wordsOf(this);
    this.speed = new Speed();
    const { edition, size: bytes } = this.dataset;
    /** @type {?import("#studio/replacement").Begun} */
    this.begun = edition ? { id: edition, size: Number(bytes) } : null;
    const input = part(this, "file");
    input.addEventListener("change", () => {
      const [file] = input.files;
      input.value = "";
      if (file) this.take(file);
    });
    part(this, "retry").addEventListener("click", () => this.send());
    part(this, "cancel").addEventListener("click", () => this.cancel());
    window.addEventListener("beforeunload", (event) => {
      if (this.isBusy) event.preventDefault();
    });
  }

  /** @param {File} file */
  take(file) {
    const refusal = refusalOf(file, { begun: this.begun ?? null, maxBytes: Number(this.dataset.maxBytes) });
    if (refusal) return this.say(this.words(refusal), true);
    this.file = file;
    return this.send();
  }

  async send() {
    this.busy(true);
    this.say(this.words("starting"));
    try {
      const { path, about } = this.dataset;
      const form = about && /** @type {HTMLFormElement} */ (document.getElementById(about));
      const use = path ? { path, about: form ? Object.fromEntries(new FormData(form)) : {} } : {};
      const opened = await open(this.dataset.video, this.file, this.begun, call, use);
      this.begun = { id: opened.id, size: this.file.size };
      this.transfer = new MultipartUpload({
        ...opened,
        file: this.file,
        sign: async (numbers) => (await call("POST", `videos/${opened.id}/upload/parts/`, { numbers })).parts,
        put: putPart,
        untilOnline: (signal) => {
          if (!navigator.onLine) this.say(this.words("offline"));
          return untilOnline(signal);
        },
        onProgress: (bytes) => this.showSent(bytes),
      });
      const parts = await this.transfer.run();
      this.say(this.words("finishing"));
      await call("POST", `videos/${opened.id}/upload/complete/`, { parts });
      this.leave();
    } catch (error) {
      if (!this.isCancelled) this.onTrouble(error);
    }
  }

  async cancel() {
    this.isCancelled = true;
    this.transfer?.halt();
    await call("DELETE", `videos/${this.dataset.video}/edition/`).catch(() => {});
    this.leave();
  }

  /** Show the page of the state that follows. */
  leave() {
    this.isBusy = false;
    location.reload();
  }

  /** @param {any} error */
  onTrouble(error) {
    this.busy(false);
    const sentence = error instanceof ApiError ? error.message : this.words(error instanceof UploadError ? error.word : "lost");
    this.say(sentence || this.words("lost"), true);
    const hasEnded = error instanceof UploadError && error.word === "ended";
    if (hasEnded) this.begun = null;
    part(this, "retry").hidden = error instanceof UploadError && error.word === "unreadable";
    part(this, "cancel").hidden = !this.begun;
  }

  /** @param {boolean} isBusy */
  busy(isBusy) {
    this.isBusy = isBusy;
    this.toggleAttribute("data-busy", isBusy);
    part(this, "choose").hidden = isBusy;
    part(this, "sending").hidden = !isBusy;
    part(this, "cancel").hidden = !isBusy;
    part(this, "retry").hidden = true;
  }

  /**
   * @param {string} sentence
   * @param {boolean} [isError]
   */
  say(sentence, isError = false) {
    const state = part(this, "state");
    state.textContent = sentence;
    state.classList.toggle("failure", isError);
  }

  /** @param {number} bytes */
  showSent(bytes) {
    const percent = Math.floor((100 * bytes) / this.file.size);
    this.querySelector("progress").value = percent;
    this.speed.record(bytes, performance.now() / 1000);
    const speed = this.speed.value;
    if (!speed) return this.say(this.words("uploading-first", { percent }));
    const { unit, n } = left((this.file.size - bytes) / speed);
    const values = { percent, speed: size(speed, document.documentElement.lang), left: this.words(unit, { n }) };
    return this.say(this.words("uploading", values));
  }
}

define("replace-file", ReplaceFile);
