/** The row of an upload: its fields, its progress bar, its sentence. */

import { ApiError, call } from "#lib/api";
import { part } from "#lib/element";
import { follow } from "#lib/progress";
import { about, SteadyEstimate } from "#studio/estimate";
import { fieldValue } from "#ui/moments";
import { changesOf, fieldsOf, lacksMoment, SCHEDULED } from "#upload/fields";
import { left, size, Speed, titleOf, wellFormed } from "#upload/figures";
import { MultipartUpload, putPart, untilOnline, UploadError } from "#upload/multipart";
import * as unfinished from "#upload/unfinished";

const SAVE_AFTER_MS = 700;

/** @typedef {"waiting" | "uploading" | "paused" | "finishing" | "processing" | "ready" | "failed" | "gone"} State */

export class UploadItem {
  /**
   * @param {HTMLElement} element
   * @param {File} file
   * @param {{words: import("#lib/words").Words, watchUrl: string, onFree: () => void}} options
   *   ``onFree``: the line is free for the next file
   */
  constructor(element, file, { words, watchUrl, onFree }) {
    this.element = element;
    this.file = file;
    this.words = words;
    this.watchUrl = watchUrl;
    this.onFree = onFree;
    this.locale = document.documentElement.lang;
    this.form = part(element, "form");
    this.speed = new Speed();
    this.estimate = new SteadyEstimate();
    /** @type {?Promise<MultipartUpload>} */
    this.opening = null;
    /** @type {?MultipartUpload} */
    this.transfer = null;
    /** @type {State} */
    this.state = "waiting";
    this.isPublished = false; // a file's name is no title: its owner publishes it
    /** @type {import("#upload/fields").Fields} */
    this.saved = {};
    this.leaving = new AbortController();
    this.id = unfinished.of(file)?.id ?? "";
    part(element, "name").textContent = `${file.name} · ${size(file.size, this.locale)}`;
    this.form.elements.title.value = titleOf(file.name);
    this.listen();
    this.enter("waiting");
  }

  listen() {
    this.element.addEventListener("click", (event) => {
      const wanted = event.target.closest("[data-do]")?.dataset.do;
      if (wanted) this[/** @type {"pause" | "resume" | "retry" | "cancel" | "publish"} */ (wanted)]();
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.save();
    });
    this.form.addEventListener("input", () => {
      this.showVerb();
      clearTimeout(this.saveTimer);
      this.saveTimer = setTimeout(() => this.save(), SAVE_AFTER_MS);
    });
  }

  /** Name the button after the chosen visibility. */
  showVerb() {
    const isScheduled = this.form.elements.visibility.value === SCHEDULED;
    part(this.element, "publish").textContent = this.words(isScheduled ? "schedule" : "publish");
  }

  async start() {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    this.enter("uploading");
    this.show(this.words("starting"));
    try {
      this.opening ??= this.open();
      this.transfer = await this.opening;
      if (!this.goesOn(turn)) return;
      const parts = await this.transfer.run();
      if (!this.goesOn(turn)) return;
      this.enter("finishing");
      this.show(this.words("finishing"));
      await this.complete(parts);
      this.watch();
    } catch (error) {
      if (turn !== this.turn) return;
      // Not opened, or refused as a whole: the stored parts are asked for anew.
      if (!this.transfer || error instanceof ApiError) this.opening = this.transfer = null;
      this.onTrouble(error);
    }
    this.onFree();
  }

  /**
   * Return false if the person paused, resumed or cancelled while a response was on its way.
   * @param {number} turn
   */
  goesOn(turn) {
    if (this.state === "gone") this.deleteUpload();
    return turn === this.turn && this.state === "uploading";
  }

  /** Delete the cancelled upload on the server. */
  deleteUpload() {
    if (this.id) call("DELETE", `videos/${this.id}/upload/`).catch(() => {});
  }

  /** Resume with the stored parts, or begin. */
  async open() {
    const resumed = this.id ? await this.uploadedBefore() : null;
    const created = resumed ?? (await this.create());
    return new MultipartUpload({
      ...created,
      file: this.file,
      sign: async (numbers) => (await call("POST", `videos/${this.id}/upload/parts/`, { numbers })).parts,
      put: putPart,
      untilOnline: (signal) => {
        if (!navigator.onLine) this.show(this.words("offline"));
        return untilOnline(signal);
      },
      onProgress: (bytes) => this.showSent(bytes),
    });
  }

  async uploadedBefore() {
    try {
      const known = await call("GET", `videos/${this.id}/upload/`);
      const video = await call("GET", `videos/${this.id}/`);
      const visibility = video.publish_at ? SCHEDULED : video.visibility;
      this.isPublished = visibility !== "private";
      if (video.publish_at) this.form.elements.publish_at.value = fieldValue(new Date(video.publish_at));
      const names = ["title", "description", "category", ...(this.isPublished ? ["visibility"] : [])];
      for (const name of names) this.form.elements[name].value = { ...video, visibility }[name];
      this.form.elements.is_premiere.checked = Boolean(video.is_premiere);
      this.saved = this.fields(); // as the server has them: only later changes are sent
      return { partSize: known.part_size_bytes, partCount: known.part_count, uploaded: known.uploaded };
    } catch (error) {
      if (!(error instanceof ApiError) || error.status >= 500) throw error;
      unfinished.drop(this.id);
      this.id = "";
      return null;
    }
  }

  async create() {
    const name = wellFormed(this.file.name);
    const file = { filename: name, size_bytes: this.file.size, content_type: this.file.type };
    const fields = { ...this.fields(), visibility: "private" };
    const { id, upload } = await call("POST", "videos/", { ...file, ...fields });
    this.id = id;
    this.saved = fields;
    this.save(); // as far as they changed meanwhile
    unfinished.record(id, this.file);
    return { partSize: upload.part_size_bytes, partCount: upload.part_count, urls: upload.parts };
  }

  /** @param {import("#upload/multipart").Part[]} parts */
  async complete(parts) {
    await call("POST", `videos/${this.id}/upload/complete/`, { parts });
    unfinished.drop(this.id);
  }

  /** Show the progress of the encode. */
  watch() {
    this.enter("processing");
    this.save();
    follow(this.id, (state) => this.onState(state), this.leaving.signal);
  }

  /** @param {import("#lib/progress").State} state */
  onState(state) {
    const { status, progress_percent: percent, is_playable: isPlayable, failure, waiting_for: waitingFor } = state;
    this.failureCode = failure?.code ?? "";
    const watch = part(this.element, "watch");
    watch.href = this.watchUrl.replace("{id}", this.id);
    watch.hidden = !isPlayable;
    this.bar(percent);
    if (status === "failed") return this.fail(failure?.detail ?? this.words("lost"), "");
    this.enter(status === "ready" ? "ready" : "processing");
    if (status !== "ready" && waitingFor) return this.show(this.words(`waiting-${waitingFor}`));
    const word = status === "ready" ? "ready" : isPlayable ? "playable" : "processing";
    return this.show([this.words(word, { percent }), ...(status === "ready" ? [] : this.rest(state))].join(" · "));
  }

  /**
   * Return the estimate of the encode or its place in the queue, as far as one is known.
   * @param {import("#lib/progress").State} state
   */
  rest({ is_playable: isPlayable, estimate_s: estimate = null, queue_ahead: ahead }) {
    if (ahead) return [this.words("ahead", { n: ahead })];
    const seconds = this.estimate.next(estimate, performance.now());
    // Before a video plays, its first segment is waited for, and that is not estimated.
    return seconds === null || !isPlayable ? [] : [this.words("rest", { time: about(seconds, this.locale) })];
  }

  /** Save the chosen visibility or schedule; the video was private before. */
  publish() {
    this.isPublished = true;
    if (lacksMoment(this.fields())) {
      this.isPublished = false;
      part(this.element, "saved").textContent = this.words("moment");
      return;
    }
    this.enter(this.state);
    this.save();
  }

  pause() {
    this.enter("paused");
    this.transfer?.halt();
  }

  resume() {
    this.speed.forget();
    this.start();
  }

  retry() {
    if (this.failedEncode) {
      call("POST", `videos/${this.id}/retry/`).then(() => this.watch(), (error) => this.onTrouble(error));
    } else {
      this.resume();
    }
  }

  cancel() {
    const isIdle = this.state === "waiting" || this.state === "failed";
    if (!isIdle && !window.confirm(this.words("cancel-sure"))) return;
    this.enter("gone");
    this.transfer?.halt();
    this.remove();
    if (!this.failedEncode) this.deleteUpload();
  }

  remove() {
    this.state = "gone";
    if (this.id) unfinished.drop(this.id);
    this.leaving.abort();
    this.element.remove();
    this.onFree();
  }

  fields() {
    return fieldsOf(this.form, { isPublished: this.isPublished, title: titleOf(this.file.name) });
  }

  /** Save after the last save has ended: the older of two requests could arrive last. */
  save() {
    this.saving = (this.saving ?? Promise.resolve()).then(() => this.patch());
    return this.saving;
  }

  async patch() {
    const fields = this.fields();
    const changes = changesOf(fields, this.saved);
    if (!this.id || !Object.keys(changes).length) return;
    const note = part(this.element, "saved");
    try {
      await call("PATCH", `videos/${this.id}/`, changes);
      this.saved = fields;
      const { visibility, publish_at: at } = fields;
      const time = () => new Date(String(at)).toLocaleString(this.locale, { dateStyle: "medium", timeStyle: "short" });
      note.textContent = visibility === SCHEDULED ? this.words("scheduled", { time: time() }) : this.words("saved");
    } catch (error) {
      note.textContent = error instanceof ApiError ? error.message : this.words("not-saved");
      if (this.saved.visibility === "private") this.isPublished = false; // the server has a draft
      this.enter(this.state);
    }
  }

  /** @param {State} state */
  enter(state) {
    this.state = state;
    this.element.dataset.state = state;
    const show = (/** @type {string} */ name, /** @type {boolean} */ isShown) => (this.element.querySelector(`[data-do="${name}"]`).hidden = !isShown);
    show("pause", state === "uploading");
    show("resume", state === "paused");
    show("cancel", ["waiting", "uploading", "paused", "failed"].includes(state));
    show("retry", state === "failed" && this.canRetry);
    show("publish", !this.isPublished && state !== "failed");
    part(this.element, "draft").hidden = this.isPublished || state === "failed";
    if (state === "waiting") this.show(this.words("waiting"));
    if (state === "paused") this.show(this.words("paused", { percent: this.percent ?? 0 }));
  }

  /** True if another attempt can help: the failure was ours, not the file's. */
  get canRetry() {
    if (this.failedEncode) return ["storage_failed", "encode_failed"].includes(this.failureCode);
    return this.troubleWord !== "unreadable" && this.troubleWord !== "too-large" && this.troubleWord !== "empty";
  }

  /** @param {any} error */
  onTrouble(error) {
    if (this.state === "paused" || this.state === "gone") return;
    if (error instanceof UploadError) {
      if (error.word === "ended") {
        unfinished.drop(this.id);
        this.id = "";
        this.opening = this.transfer = null;
      }
      this.fail(this.words(error.word), error.word);
    } else {
      this.fail(error instanceof ApiError && error.message ? error.message : this.words("lost"), "lost");
    }
  }

  /**
   * @param {string} sentence
   * @param {string} word empty: the encode failed, not the upload
   */
  fail(sentence, word) {
    this.failedEncode = !word;
    this.troubleWord = word;
    this.enter("failed");
    this.show(sentence);
  }

  /** @param {string} sentence */
  show(sentence) {
    part(this.element, "state").textContent = sentence;
  }

  /** @param {number} percent */
  bar(percent) {
    this.element.querySelector("progress").value = percent;
  }

  /** @param {number} bytes */
  showSent(bytes) {
    if (this.state !== "uploading") return;
    this.percent = this.file.size ? Math.floor((100 * bytes) / this.file.size) : 0;
    this.bar(this.percent);
    this.speed.record(bytes, performance.now() / 1000);
    const speed = this.speed.value;
    if (!speed) return this.show(this.words("uploading-first", { percent: this.percent }));
    const { unit, n } = left((this.file.size - bytes) / speed);
    const values = { percent: this.percent, speed: size(speed, this.locale), left: this.words(unit, { n }) };
    return this.show(this.words("uploading", values));
  }
}
