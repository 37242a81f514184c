/** The upload page: files come in, and go out one after the other. */

import { call } from "#lib/api";
import { define, part } from "#lib/element";
import { wordsOf } from "#lib/words";
import { UploadItem } from "#upload/item";
import * as unfinished from "#upload/unfinished";

const AT_ONCE = 1; // a file has four parts under way; two files would only share the line

class UploadDesk extends HTMLElement {
  connectedCallback() {
    this.words = wordsOf(this);
    /** @type {UploadItem[]} */
    this.items = [];
    const files = part(this, "files");
    files.addEventListener("change", () => {
      this.take([...files.files]);
      files.value = "";
    });
    this.listenToDrops(part(this, "drop"));
    this.showUnfinished();
    window.addEventListener("beforeunload", (event) => {
      const isBusy = (/** @type {UploadItem} */ item) => ["waiting", "uploading", "finishing"].includes(item.state);
      if (this.items.some(isBusy)) event.preventDefault();
    });
  }

  /** @param {HTMLElement} drop */
  listenToDrops(drop) {
    const over = (/** @type {boolean} */ isOver) => (/** @type {DragEvent} */ event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      drop.classList.toggle("is-over", isOver);
    };
    document.addEventListener("dragover", over(true));
    document.addEventListener("dragleave", over(false));
    document.addEventListener("drop", (event) => {
      over(false)(event);
      this.take([...(event.dataTransfer?.files ?? [])]);
    });
  }

  /** @param {File[]} files */
  take(files) {
    for (const file of files) this.add(file);
    this.showUnfinished();
    this.next();
  }

  /** @param {File} file */
  add(file) {
    const template = this.querySelector("template[data-upload]");
    const element = template.content.firstElementChild.cloneNode(true);
    part(this, "uploads").append(element);
    const item = new UploadItem(element, file, {
      words: this.words,
      watchUrl: this.dataset.watchUrl,
      onFree: () => this.next(),
    });
    if (!file.size) item.fail(this.words("empty"), "empty");
    else if (file.size > Number(this.dataset.maxBytes)) item.fail(this.words("too-large"), "too-large");
    this.items.push(item);
  }

  next() {
    const busy = this.items.filter((item) => item.state === "uploading" || item.state === "finishing");
    const waiting = this.items.filter((item) => item.state === "waiting");
    for (const item of waiting.slice(0, Math.max(0, AT_ONCE - busy.length))) item.start();
  }

  showUnfinished() {
    const list = part(this, "unfinished");
    const shown = unfinished.all().filter(({ id }) => !this.items.some((item) => item.id === id));
    list.replaceChildren(...shown.map((upload) => this.unfinishedRow(upload)));
  }

  /** @param {import("#upload/unfinished").Unfinished} upload */
  unfinishedRow({ id, name }) {
    const row = this.querySelector("template[data-unfinished]").content.firstElementChild.cloneNode(true);
    part(row, "name").textContent = name;
    row.querySelector("[data-do=forget]").addEventListener("click", () => {
      unfinished.drop(id);
      row.remove();
      call("DELETE", `videos/${id}/upload/`).catch(() => {});
    });
    return row;
  }
}

define("upload-desk", UploadDesk);
