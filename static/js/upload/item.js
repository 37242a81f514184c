/** One file on its way: its fields, its bar, its sentence. */

import { ApiError, call } from "#lib/api";
import { part } from "#lib/element";
import { follow } from "#lib/progress";
import { left, size, Speed, titleOf } from "#upload/figures";
import { MultipartUpload, putPart, untilOnline, UploadError } from "#upload/multipart";
import * as unfinished from "#upload/unfinished";

const SAVE_AFTER_MS = 700;

/** @typedef {"waiting" | "uploading" | "paused" | "finishing" | "processing" | "ready" | "failed" | "gone"} State */

export class UploadItem {
  /**
   * @param {HTMLElement} element
   * @param {File} file
   * @param {{words: (name: string, values?: object) => string, watchUrl: string, onFree: () => void}} desk
   *   ``onFree``: the line is free for the next file
   */
  constructor(element, file, desk) {
    Object.assign(this, { element, file, ...desk });
    this.locale = document.documentElement.lang;
    this.form = part(element, "form");
    this.speed = new Speed();
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
      if (wanted) this[wanted]();
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.save();
    });
    this.form.addEventListener("input", () => {
      clearTimeout(this.saveTimer);
      this.saveTimer = setTimeout(() => this.save(), SAVE_AFTER_MS);
    });
  }

  // --- On its way -----------------------------------------------------------------

  async start() {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    this.enter("uploading");
    this.say(this.words("starting"));
    try {
      this.opening ??= this.open();
      this.transfer = await this.opening;
      if (!this.goesOn(turn)) return;
      const parts = await this.transfer.run();
      if (!this.goesOn(turn)) return;
      this.enter("finishing");
      this.say(this.words("finishing"));
      await this.complete(parts);
      this.watch();
    } catch (error) {
      if (turn !== this.turn) return;
      // Not opened, or refused as a whole: what has arrived is asked for anew.
      if (!this.transfer || error instanceof ApiError) this.opening = this.transfer = null;
      this.onTrouble(error);
    }
    this.onFree();
  }

  /** False when somebody paused, went on again or cancelled while an answer was on its way. */
  goesOn(turn) {
    if (this.state === "gone") this.giveBack();
    return turn === this.turn && this.state === "uploading";
  }

  /** Tell the server that nothing more comes. */
  giveBack() {
    if (this.id) call("DELETE", `videos/${this.id}/upload/`).catch(() => {});
  }

  /** Go on with what has arrived already, or begin. */
  async open() {
    const resumed = this.id ? await this.uploadedBefore() : null;
    const created = resumed ?? (await this.create());
    return new MultipartUpload({
      ...created,
      file: this.file,
      sign: async (numbers) => (await call("POST", `videos/${this.id}/upload/parts/`, { numbers })).parts,
      put: putPart,
      untilOnline: (signal) => {
        if (!navigator.onLine) this.say(this.words("offline"));
        return untilOnline(signal);
      },
      onProgress: (bytes) => this.showSent(bytes),
    });
  }

  async uploadedBefore() {
    try {
      const known = await call("GET", `videos/${this.id}/upload/`);
      const video = await call("GET", `videos/${this.id}/`);
      for (const name of ["title", "description", "visibility", "category"]) {
        this.form.elements[name].value = video[name];
      }
      return { partSize: known.part_size_bytes, partCount: known.part_count, uploaded: known.uploaded };
    } catch (error) {
      if (!(error instanceof ApiError) || error.status >= 500) throw error;
      unfinished.drop(this.id);
      this.id = "";
      return null;
    }
  }

  async create() {
    const about = { filename: this.file.name, size_bytes: this.file.size, content_type: this.file.type };
    const { id, upload } = await call("POST", "videos/", { ...about, ...this.fields() });
    this.id = id;
    this.saved = JSON.stringify(this.fields());
    unfinished.note(id, this.file);
    return { partSize: upload.part_size_bytes, partCount: upload.part_count, urls: upload.parts };
  }

  /** @param {import("#upload/multipart").Part[]} parts */
  async complete(parts) {
    await call("POST", `videos/${this.id}/upload/complete/`, { parts });
    unfinished.drop(this.id);
  }

  /** From here on the server works: show how far it is. */
  watch() {
    this.enter("processing");
    this.save();
    follow(this.id, (state) => this.onState(state), this.leaving.signal);
  }

  /** @param {import("#lib/progress").State} state */
  onState({ status, progress_percent: percent, is_playable: isPlayable, failure }) {
    const watch = part(this.element, "watch");
    watch.href = this.watchUrl.replace("{id}", this.id);
    watch.hidden = !isPlayable;
    this.bar(percent);
    if (status === "failed") return this.fail(failure?.detail ?? this.words("lost"), "");
    this.enter(status === "ready" ? "ready" : "processing");
    const word = status === "ready" ? "ready" : isPlayable ? "playable" : "processing";
    return this.say(this.words(word, { percent }));
  }

  // --- What people ask for ----------------------------------------------------------

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
    if (!this.failedEncode) this.giveBack();
  }

  remove() {
    this.state = "gone";
    if (this.id) unfinished.drop(this.id);
    this.leaving.abort();
    this.element.remove();
    this.onFree();
  }

  // --- Its fields ------------------------------------------------------------------

  fields() {
    const { title, description, visibility, category, tags } = this.form.elements;
    const names = tags.value.split(/[,，、]/).map((name) => name.trim()).filter(Boolean).slice(0, 12);
    return {
      title: title.value.trim() || titleOf(this.file.name),
      description: description.value,
      visibility: visibility.value,
      category: category.value,
      ...(names.length ? { tags: names } : {}),
    };
  }

  async save() {
    const fields = this.fields();
    if (!this.id || this.saved === JSON.stringify(fields)) return;
    const note = part(this.element, "saved");
    try {
      await call("PATCH", `videos/${this.id}/`, fields);
      this.saved = JSON.stringify(fields);
      note.textContent = this.words("saved");
    } catch (error) {
      note.textContent = error instanceof ApiError ? error.message : this.words("not-saved");
    }
  }

  // --- Showing ---------------------------------------------------------------------

  /** @param {State} state */
  enter(state) {
    this.state = state;
    this.element.dataset.state = state;
    const show = (name, isShown) => (this.element.querySelector(`[data-do="${name}"]`).hidden = !isShown);
    show("pause", state === "uploading");
    show("resume", state === "paused");
    show("cancel", ["waiting", "uploading", "paused", "failed"].includes(state));
    show("retry", state === "failed" && this.canRetry);
    if (state === "waiting") this.say(this.words("waiting"));
    if (state === "paused") this.say(this.words("paused", { percent: this.percent ?? 0 }));
  }

  get canRetry() {
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
    this.say(sentence);
  }

  /** @param {string} sentence */
  say(sentence) {
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
    this.speed.note(bytes, performance.now() / 1000);
    const speed = this.speed.value;
    if (!speed) return this.say(this.words("uploading-first", { percent: this.percent }));
    const { unit, n } = left((this.file.size - bytes) / speed);
    const values = { percent: this.percent, speed: size(speed, this.locale), left: this.words(unit, { n }) };
    return this.say(this.words("uploading", values));
  }
}
