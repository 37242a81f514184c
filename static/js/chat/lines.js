/**
 * The lines of a chat. While somebody reads further up, new lines wait behind a button
 * with their number.
 */

import { hue } from "#chat/hue";
import { pieces } from "#chat/text";

const MOST_KEPT = 200;
const AT_END_PX = 48;

export class Lines {
  /**
   * @param {{scroll: HTMLElement, log: HTMLElement, pill: HTMLElement, words: import("#lib/words").Words, badge: (name: string) => ?Node, canModerate: () => boolean, canReport: (username: string) => boolean}} options
   */
  constructor({ scroll, log, pill, words, badge, canModerate, canReport }) {
    this.scroll = scroll;
    this.log = log;
    this.pill = pill;
    this.words = words;
    this.badge = badge;
    this.canModerate = canModerate;
    this.canReport = canReport;
    /** @type {HTMLElement[]} */
    this.waiting = [];
    this.isHeld = false; // a menu stands beside a line
    this.isAtEnd = true;
    scroll.addEventListener("scroll", () => this.onScroll(), { passive: true });
    new ResizeObserver(() => this.isAtEnd && this.toEnd()).observe(scroll);
    pill.addEventListener("click", () => this.release());
    this.clock = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
    this.full = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "medium" });
  }

  onScroll() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroll;
    this.isAtEnd = scrollHeight - scrollTop - clientHeight < AT_END_PX;
    if (this.isAtEnd && this.waiting.length) this.release();
  }

  /** @param {boolean} isHeld */
  hold(isHeld) {
    this.isHeld = isHeld;
    if (!isHeld && this.isAtEnd) this.release();
  }

  clear() {
    this.waiting = [];
    this.log.replaceChildren();
    this.showWaiting();
  }

  /** @param {HTMLElement[]} lines */
  add(lines) {
    if (!lines.length) return;
    if (!this.isAtEnd || this.isHeld) {
      this.waiting = [...this.waiting, ...lines].slice(-MOST_KEPT);
      this.showWaiting();
      return;
    }
    this.log.append(...lines.slice(-MOST_KEPT));
    this.trim();
    this.toEnd();
  }

  /** Show the waiting lines and go to the end. */
  release() {
    this.log.append(...this.waiting);
    this.waiting = [];
    this.trim();
    this.showWaiting();
    this.toEnd();
  }

  trim() {
    while (this.log.childElementCount > MOST_KEPT) this.log.firstElementChild.remove();
  }

  toEnd() {
    this.isAtEnd = true;
    this.scroll.scrollTop = this.scroll.scrollHeight;
  }

  showWaiting() {
    const count = this.waiting.length;
    this.pill.hidden = count === 0;
    const shown = count >= MOST_KEPT ? `${MOST_KEPT}+` : count;
    this.pill.querySelector("span").textContent = count === 1 ? this.words("new-one") : this.words("new-many", { n: shown });
  }

  /**
   * @param {import("#chat/room").Message} message
   * @param {{isPending?: boolean}} [options]
   */
  line(message, { isPending = false } = {}) {
    const { username, display_name: name, badges = [] } = message.user;
    const line = element("div", "chat-line");
    line.dataset.id = message.id ?? "";
    line.dataset.username = username;
    line.tabIndex = -1;
    if (isPending) line.classList.add("is-pending");
    const when = message.sent_at ? new Date(message.sent_at) : new Date();
    const time = element("time", "chat-time", this.clock.format(when));
    time.dateTime = when.toISOString();
    time.title = this.full.format(when);
    const person = element("span", "chat-person");
    for (const badge of badges) {
      const picture = this.badge(badge);
      if (picture) person.append(picture);
    }
    const who = element("a", `chat-name hue-${hue(username)}`, name || username);
    Object.assign(who, { href: `/@${encodeURIComponent(username)}/`, target: "_blank", rel: "noopener", tabIndex: -1, title: `@${username}` });
    person.append(who, element("span", "chat-colon", this.words("colon")));
    line.append(time, person, this.text(message.text));
    if (isPending) return line;
    if (this.canModerate()) line.append(this.actions(name || username));
    else if (this.canReport(username)) line.append(this.report(message.id, name || username));
    return line;
  }

  /** @param {string} words */
  text(words) {
    const text = element("span", "chat-text");
    for (const piece of pieces(words)) {
      if (!piece.href) text.append(piece.text);
      else {
        const link = element("a", "link", piece.text);
        text.append(Object.assign(link, { href: piece.href, target: "_blank", rel: "nofollow ugc noopener noreferrer" }));
      }
    }
    return text;
  }

  /** @param {string} name */
  actions(name) {
    const button = element("button", "chat-actions");
    button.type = "button";
    button.tabIndex = -1;
    button.setAttribute("aria-label", this.words("actions", { name }));
    button.setAttribute("aria-haspopup", "menu");
    button.append("⋯");
    return button;
  }

  /**
   * Return the button from which ui/report.js opens the form.
   * @param {string} id
   * @param {string} name
   */
  report(id, name) {
    const button = element("button", "chat-actions");
    button.type = "button";
    button.dataset.report = "chat_message";
    button.dataset.reportId = id;
    button.setAttribute("aria-label", this.words("report", { name }));
    button.title = this.words("report", { name });
    button.append(this.badge("report") ?? "!");
    return button;
  }

  /**
   * Return a line with a sentence of the room itself.
   * @param {string} sentence
   */
  hint(sentence) {
    return element("div", "chat-note", sentence);
  }

  /** @param {string} id */
  remove(id) {
    this.blank((line) => line.dataset.id === id, "removed");
  }

  /**
   * Show the text of a removed message again, at its place.
   * @param {import("#chat/room").Message} message
   */
  restore(message) {
    const isMeant = (/** @type {HTMLElement} */ line) => line.dataset.id === message.id && line.classList.contains("is-removed");
    const index = this.waiting.findIndex(isMeant);
    if (index >= 0) this.waiting[index] = this.line(message);
    /** @type {HTMLElement[]} */ ([...this.log.children]).find(isMeant)?.replaceWith(this.line(message));
  }

  /** @param {string} username */
  clearUser(username) {
    this.blank((line) => line.dataset.username === username, "cleared");
  }

  /**
   * @param {(line: HTMLElement) => boolean} isMeant
   * @param {string} word
   */
  blank(isMeant, word) {
    for (const line of /** @type {HTMLElement[]} */ ([...this.log.children, ...this.waiting])) {
      if (!isMeant(line) || line.classList.contains("is-removed")) continue;
      line.classList.add("is-removed");
      const text = line.querySelector(".chat-text");
      if (text) text.textContent = this.words(word);
    }
  }
}

/**
 * @param {string} tag
 * @param {string} classes
 * @param {string} [text]
 * @returns {any}
 */
function element(tag, classes, text = "") {
  const made = document.createElement(tag);
  made.className = classes;
  made.textContent = text;
  return made;
}
